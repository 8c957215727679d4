import type { CallOptions, Crm, CrmChanges, CrmEntity, CrmField, CrmFound } from '../../domain/crm.ts'
import { isFairleadError } from '../../domain/errors.ts'

/** As many as one request takes. */
export const batchSize = 25

type Letter = {
  entity: CrmEntity
  fields: CrmField[]
  person: Pick<CrmFound, 'id' | 'etag' | 'addressKey'>
  changes: CrmChanges
  options: CallOptions | undefined
  resolve: (stored: CrmFound) => void
  reject: (error: unknown) => void
}

/**
 * The CRM with an `update` that sends what is asked for at the same moment in one request, where the connector finds that faster; otherwise each by
 * itself. Every caller gets the answer of its own.
 */
export const together = (crm: Crm): Crm => {
  let waiting: Letter[] = []

  const sendOne = ({ entity, fields, person, changes, options, resolve, reject }: Letter): Promise<void> =>
    crm.update(entity, fields, person, changes, options).then(resolve, reject)

  const send = async (letters: Letter[]): Promise<void> => {
    const { entity, fields, options } = letters[0]!
    try {
      const answers = await crm.updateMany(entity, fields, letters, options)
      if (answers === null) await Promise.all(letters.map(sendOne))
      else
        letters.forEach(({ resolve, reject }, at) => {
          const answer = answers[at]!
          if (isFairleadError(answer)) reject(answer)
          else resolve(answer)
        })
    } catch (error) {
      for (const { reject } of letters) reject(error)
    }
  }

  const flush = (): void => {
    const letters = waiting
    waiting = []
    for (const entity of ['lead', 'contact'] as const) {
      const same = letters.filter((letter) => letter.entity === entity)
      for (let at = 0; at < same.length; at += batchSize) void send(same.slice(at, at + batchSize))
    }
  }

  return {
    ...crm,
    update: (entity, fields, person, changes, options) =>
      new Promise((resolve, reject) => {
        waiting.push({ entity, fields, person, changes, options, resolve, reject })
        if (waiting.length >= batchSize) flush()
        else if (waiting.length === 1) setImmediate(flush)
      }),
  }
}
