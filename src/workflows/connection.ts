import { interactive, local } from './activities.ts'

type Input = { accountId: string; connectionId: string }
type Attempt = Input & { candidateId: string }

/** C1, C2: tries new credentials; the API waits for the candidate's state. */
export async function checkConnection(input: Attempt): Promise<{ state: 'accepted' | 'refused' }> {
  try {
    return await interactive.checkCandidate.executeWithOptions({ summary: 'one login with the new credentials' }, [
      input,
    ])
  } catch {
    return local.dropCandidate.executeWithOptions({ summary: 'erase the new credentials' }, [input])
  }
}

/** F1: reads what a picklist of the CRM offers. */
export async function readPicklist(
  input: Input & { entity: 'lead' | 'contact'; field: string },
): Promise<{ items: number }> {
  return interactive.readPicklist.executeWithOptions({ summary: `picklist of ${input.entity} ${input.field}` }, [input])
}

/** I3: reads what the CRM's entity looks like now. */
export async function readFields(input: Input & { entity: 'lead' | 'contact' }): Promise<{ fields: number }> {
  return interactive.readFields.executeWithOptions({ summary: `fields of ${input.entity}` }, [input])
}
