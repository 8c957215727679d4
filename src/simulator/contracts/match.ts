import { etagOf } from '../answer.ts'
import { Refusal } from '../diagnosis.ts'
import type { Call } from '../http/call.ts'
import type { Row } from '../model.ts'
import { idOf } from '../store.ts'
import type { World } from '../world.ts'

/** Vendor clients send the tag as it is, others in quotes. */
const bare = (tag: string): string =>
  tag
    .trim()
    .replace(/^W\/(?=")/, '')
    .replace(/^"(.*)"$/, '$1')

/** Stops a change of a row that is no longer what its client read. */
export const checkMatch = ({ settings }: World, { ifMatch = '' }: Call, row: Row): void => {
  if (settings.ifMatch === 'ignore') return
  if (ifMatch.trim() === '') {
    if (settings.ifMatch === 'required')
      throw new Refusal(400, 'ApplicationDiagnosis', 'The If-Match header is missing.')
    return
  }
  const tags = new Set(ifMatch.split(',').map(bare))
  if (tags.has('*') || tags.has(etagOf(row))) return
  const { kind, ref } = row
  throw new Refusal(
    412,
    'ApplicationDiagnosis',
    `${kind.entity} with the key '${idOf(kind.store, ref)}' was changed by someone else.`,
  )
}
