import { isPushable } from '../counterpart.ts'
import type { CrmEntity, CrmField } from '../crm.ts'
import type { StandardField } from './mapping.ts'
import { wordOf } from './name.ts'
import { usages } from './usage.ts'

type Proposed = Omit<StandardField, 'id'> & { id: string | null; proposal: 'kept' | 'completed' | 'added' }

/** `notCovered`: address fields of the CRM that can be written and that no usage is for. */
type Proposal = { items: Proposed[]; notCovered: { entity: CrmEntity; field: string; custom: boolean }[] }

const hasMapping = ({ leadField, contactField }: Proposed): boolean => leadField !== null || contactField !== null

/**
 * A2: one standard field for each address field that lead or contact has, beside those that are there. One that has a mapping keeps it; one that has
 * the name or an alias and no mapping gets one. Nothing is stored.
 */
export const proposalOf = (
  known: readonly StandardField[],
  live: Partial<Record<CrmEntity, readonly CrmField[]>>,
): Proposal => {
  const items: Proposed[] = known.map((field) => ({ ...field, aliases: [...field.aliases], proposal: 'kept' }))
  const taken = new Set(items.flatMap(({ name, aliases }) => [name, ...aliases].map(wordOf)))
  const writable = (entity: CrmEntity) => (live[entity] ?? []).filter((field) => field.address && isPushable(field))
  const names = {
    lead: new Set(writable('lead').map(({ name }) => name.toLowerCase())),
    contact: new Set(writable('contact').map(({ name }) => name.toLowerCase())),
  }
  const covered = new Set<string>()
  /** Those names that no standard field has yet; they are taken from now on. */
  const free = (aliases: readonly string[]): string[] =>
    aliases.filter((alias) => {
      const word = wordOf(alias)
      const isFree = !taken.has(word)
      taken.add(word)
      return isFree
    })

  for (const usage of usages.filter(({ address }) => address)) {
    const { code, label, lead, contact, aliases } = usage
    const fields = [lead, contact].map((name) => name!.toLowerCase())
    for (const name of fields) covered.add(name)
    if (!names.lead.has(fields[0]!) && !names.contact.has(fields[1]!)) continue
    const isSame = (item: Proposed): boolean =>
      item.systemUsage === code ||
      item.leadField?.toLowerCase() === fields[0] ||
      item.contactField?.toLowerCase() === fields[1]
    if (items.some(isSame)) continue
    const mapping = { systemUsage: code, leadField: lead, contactField: contact }
    const words = new Set([label, ...aliases].map(wordOf))
    const named = items.filter((item) => [item.name, ...item.aliases].some((name) => words.has(wordOf(name))))
    const open = named.find((item) => !hasMapping(item))
    if (open !== undefined)
      Object.assign(open, mapping, { aliases: [...open.aliases, ...free([label, ...aliases])], proposal: 'completed' })
    else if (!taken.has(wordOf(label))) {
      taken.add(wordOf(label))
      items.push({ id: null, name: label, ...mapping, aliases: free(aliases), proposal: 'added' })
    }
  }
  for (const { leadField, contactField } of items)
    for (const name of [leadField, contactField]) if (name !== null) covered.add(name.toLowerCase())
  const notCovered = (['lead', 'contact'] as const).flatMap((entity) =>
    writable(entity)
      .filter(({ name }) => !covered.has(name.toLowerCase()))
      .map(({ name, custom }) => ({ entity, field: name, custom })),
  )
  return { items, notCovered }
}
