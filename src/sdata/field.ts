import type { CallOptions, CrmEntity, CrmField } from '../domain/crm.ts'
import { readMetadata, spellOut, type Described } from './fields/metadata.ts'
import { readPermissions } from './fields/permission.ts'
import { findDates, guessAddress, guessFields, keepKnown } from './fields/sample.ts'
import { readSchema } from './fields/schema.ts'
import { isSecretField } from '../domain/field.ts'
import type { Session } from './session.ts'
import { addressEntities, entityNames, isCustom, knownType, lockedNames, usualAddress } from './fields/standard.ts'

const notAddress = /^(Id|\w*Id|(Create|Modify)(User|Date))$/

const bare = (name: string, maxLength: number | null): Described => ({
  name,
  label: spellOut(name),
  type: 'text',
  maxLength,
  picklist: null,
  picklistStorage: null,
  readOnly: false,
  required: false,
})

const toField = (entity: CrmEntity, property: Described, address: boolean): CrmField | null => {
  if (property.type === null || isSecretField(property.name) || /[^\p{L}\p{N}_]/u.test(property.name)) return null
  const plain = property.type === 'text' || property.type === 'instant'
  return {
    name: address ? `Address/${property.name}` : property.name,
    label: address ? `Address: ${property.label}` : property.label,
    type: (plain && !address && knownType(property.name)) || property.type,
    maxLength: property.maxLength,
    custom: isCustom(address ? 'address' : entity, property.name),
    readOnly: property.readOnly,
    required: property.required,
    locked: !address && lockedNames.some((name) => name.toLowerCase() === property.name.toLowerCase()),
    address,
    picklist: property.picklist,
    picklistStorage: property.picklistStorage,
  }
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })
const rank = ({ name, locked, address, custom }: CrmField): number =>
  locked ? lockedNames.findIndex((known) => known.toLowerCase() === name.toLowerCase()) : address ? 5 : custom ? 6 : 4

/** Locked ones first, then standard, address and custom fields by label; each name once, whatever its case. */
const arrange = (fields: CrmField[]): CrmField[] => {
  const unique = new Map<string, CrmField>()
  for (const field of fields) if (!unique.has(field.name.toLowerCase())) unique.set(field.name.toLowerCase(), field)
  return [...unique.values()].sort(
    (a, b) => rank(a) - rank(b) || collator.compare(a.label, b.label) || collator.compare(a.name, b.name),
  )
}

/** Feeds leave out what the tenant has excluded (1.7), although metadata lists it. */
const keepShown = (described: Described[], shown: Described[]): Described[] => {
  const names = new Set(shown.map(({ name }) => name.toLowerCase()))
  return described.filter(({ name }) => names.has(name.toLowerCase()))
}

const describeOwn = async (
  session: Session,
  entity: CrmEntity,
  metadata: Described[] | null,
  schema: Described[] | undefined,
  options: CallOptions,
): Promise<Described[]> => {
  const shown = schema && schema.length > 0 ? schema : null
  if (metadata && shown) return keepShown(metadata, shown)
  if (metadata) return (await keepKnown(session, entity, metadata, options)).known
  const guessed = shown ?? (await guessFields(session, entity, options))
  return findDates(session, session.path(entity), guessed, options)
}

/**
 * Standard and custom fields of an entity: from the metadata contract, limited to what the feed shows; where that fails from `$schema`, then from
 * `$template` and one person. Email, FirstName and LastName come first and are always there; secrets never are; of relations only the address.
 */
export const readFields = async (session: Session, entity: CrmEntity, options: CallOptions): Promise<CrmField[]> => {
  await session.ready(options)
  session.memory.missing[entity].clear()
  session.memory.permissions.forget(entity)
  const [permissions, metadata, ofAddress, schema] = await Promise.all([
    readPermissions(session, entity, options),
    readMetadata(session, entityNames[entity], options),
    readMetadata(session, addressEntities[entity], options),
    readSchema(session, session.path(entity), options),
  ])
  const own = await describeOwn(session, entity, metadata, schema?.get(entityNames[entity].toLowerCase()), options)
  const address =
    (metadata && ofAddress) ??
    schema?.get(addressEntities[entity].toLowerCase()) ??
    (await guessAddress(session, entity, options)) ??
    usualAddress.map((name) => bare(name, null))

  const locked = lockedNames.map((name) => bare(name, name === 'Email' ? 128 : 32))
  const fields = [...own, ...locked]
    .filter(({ name }) => permissions.get(name.toLowerCase()) !== 'NoAccess')
    .map((property) => ({ ...property, readOnly: property.readOnly || permissions.has(property.name.toLowerCase()) }))
    .map((property) => toField(entity, property, false))
  const addresses = address
    .filter(({ name }) => !notAddress.test(name))
    .map((property) => toField(entity, property, true))
  return arrange([...fields, ...addresses].filter((field) => field !== null))
}
