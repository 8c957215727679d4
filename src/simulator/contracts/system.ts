import { noHandler, notFound } from '../diagnosis.ts'
import { padded } from '../values.ts'
import { keyOf } from '../http/address.ts'
import type { Call, Reply } from '../http/call.ts'
import { picklists } from '../kinds/picklists.ts'
import { parseWhere } from '../where/parser.ts'
import type { World } from '../world.ts'
import { filterDocuments, listFeed, oneDocument, type Document, type Listing } from './documents.ts'
import { writeFeed } from './feed.ts'

const picklistDocuments = (call: Call): Document[] =>
  picklists.map(({ key, items, ...rest }) => ({
    $key: key,
    $descriptor: rest.name,
    $url: `${call.base}/picklists('${key}')`,
    ...rest,
    defaultLanguage: null,
    items: {
      $resources: items.map(({ key: item, text, code, number }) => ({
        $key: item,
        $descriptor: text,
        text,
        code,
        number,
        languageCode: null,
      })),
    },
  }))

const option = (call: Call, kind: string, category: string, name: string, value: string): Document => ({
  $key: category === '' ? name : `${category}:${name}`,
  $descriptor: name,
  $url: `${call.base}/${kind}('${name}')`,
  category,
  name,
  value,
})

const systemOptions = (world: World, call: Call): Document[] =>
  Object.entries({
    DatabaseVersion: world.settings.mode === '7.5.4' ? '7.5.4.2112' : '8.5.0.1.4021',
    CompanyName: 'Simulated Company',
    DbType: '1',
    BaseCurrency: 'USD',
    MultiCurrency: 'False',
    Unicode: 'True',
  }).map(([name, value]) => option(call, 'systemoptions', '', name, value))

const userOptions = ({ login, ...call }: Call): Document[] => [
  option({ login, ...call }, 'useroptions', 'General', 'InsertSecCodeID', login.ownerId),
  option({ login, ...call }, 'useroptions', 'General', 'Language', 'en-US'),
]

const groups = (call: Call): Document[] =>
  ['Lead', 'Contact', 'Account'].map((entity, at) => ({
    $key: `p6UJ9A00000${at}`,
    $descriptor: `All ${entity}s`,
    $url: `${call.base}/groups('p6UJ9A00000${at}')`,
    name: `All ${entity}s`,
    family: entity.toUpperCase(),
    displayName: `All ${entity}s`,
    isAdHoc: false,
    isHidden: false,
  }))

const roles = (call: Call): Document[] =>
  ['Administrator', 'Standard User'].map((name, at) => ({
    $key: `r6UJ9A00000${at}`,
    $descriptor: name,
    $url: `${call.base}/roles`,
    name,
  }))

/** sdata.md 3.4; `securedActions` only from 8.0 on */
export const currentUser = (world: World, { login }: Call): string => {
  const { userId, username, prettyName, roles, securedActions } = login
  const response = {
    userId: padded(userId),
    userName: username,
    prettyName,
    roles,
    defaultOwner: padded(login.ownerId),
    ...(world.settings.mode === '7.5.4' ? {} : { securedActions }),
  }
  return JSON.stringify({ response })
}

const service = (world: World, call: Call, operation: string | undefined): Reply => {
  if (operation === undefined) {
    const entries = ['getCurrentUser'].map((name) =>
      JSON.stringify({ $key: name, $descriptor: name, $url: `${call.base}/$service/${name}` }),
    )
    return { status: 200, body: writeFeed(call, { title: 'Services', path: '', total: 1, size: 1, entries }) }
  }
  if (operation.toLowerCase() !== 'getcurrentuser' || call.method !== 'POST')
    throw noHandler(`slx/system/-/$service/${operation}`)
  return { status: 200, body: currentUser(world, call), payload: 'getCurrentUser' }
}

const resources = (
  world: World,
  call: Call,
): Record<string, { rows: Document[]; name: string; children?: string[] }> => ({
  picklists: { rows: picklistDocuments(call), name: 'PickList', children: ['items'] },
  systemoptions: { rows: systemOptions(world, call), name: 'SystemOption' },
  useroptions: { rows: userOptions(call), name: 'UserOption' },
  groups: { rows: groups(call), name: 'Group' },
  roles: { rows: roles(call), name: 'Role' },
})

export const system = (world: World, call: Call): Reply => {
  const [first, second, third] = call.segments
  if (first?.name.toLowerCase() === '$service') return service(world, call, second?.name)
  const all = resources(world, call)
  if (first === undefined) {
    const rows = Object.keys(all).map((name) => ({ $key: name, $descriptor: name, $url: `${call.base}/${name}`, name }))
    return listFeed(world, call, rows, { title: 'Sage SalesLogix | system', path: '', entity: 'Resource' })
  }
  const path = first.name.toLowerCase()
  const found = all[path]
  const disabled = call.strikes.get('disabledKind')?.name.toLowerCase() === path
  if (found === undefined || disabled || third !== undefined) throw noHandler(`slx/system/-/${first.name}`)
  const listing: Listing = {
    title: first.name,
    path,
    entity: found.name,
    ...(found.children && { children: found.children }),
  }
  if (first.selector === undefined && second === undefined) return listFeed(world, call, found.rows, listing)
  if (first.selector === undefined) throw noHandler(`slx/system/-/${first.name}/${second?.name}`)
  const key = keyOf(first.selector)
  const document =
    key === undefined
      ? filterDocuments(world, found.rows, parseWhere(first.selector), listing)[0]
      : found.rows.find((row) =>
          [row['$key'], row['name']].some((name) => String(name).toLowerCase() === key.trim().toLowerCase()),
        )
  if (document === undefined) throw notFound(found.name, first.selector)
  if (second === undefined) return oneDocument(world, call, document, { ...listing, children: [] })
  const items =
    second.name.toLowerCase() === 'items' ? (document['items'] as { $resources: Document[] } | undefined) : undefined
  if (items === undefined) throw noHandler(`slx/system/-/${first.name}/${second.name}`)
  return listFeed(world, call, items.$resources, {
    title: 'items',
    path: `${path}('${String(document['$key'])}')/items`,
    entity: 'PickListItem',
  })
}
