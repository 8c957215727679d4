import { noHandler, notFound } from '../diagnosis.ts'
import { keyOf } from '../http/address.ts'
import type { Call, Reply } from '../http/call.ts'
import { hashText } from '../hash.ts'
import type { Kind, Property } from '../model.ts'
import { propertyNamed } from '../query/scope.ts'
import type { World } from '../world.ts'
import { dataTypeIdOf, dataTypeOf, relationshipTypeId } from './dataTypes.ts'
import { listFeed, oneDocument, type Document, type Listing } from './documents.ts'

const guid = (text: string): string => {
  const hex = [1, 2, 3, 4].map((part) => hashText(`${text}${part}`).toString(16).padStart(8, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}

const shown = (world: World, kind: Kind): Property[] =>
  kind.properties.filter(({ name }) => propertyNamed(world, kind, name) !== undefined)

const propertyDocument = (world: World, call: Call, kind: Kind, property: Property): Document => {
  const key = guid(`${kind.entity}.${property.name}`)
  const data = dataTypeOf(property, world.settings)
  return {
    $key: key,
    $descriptor: property.name,
    $url: `${call.base}/entities('${kind.entity}')/properties('${key}')`,
    propertyName: property.name,
    displayName: property.label,
    columnName: property.derive === null ? property.name.toUpperCase() : '',
    propertyDataTypeId: dataTypeIdOf(property),
    isKey: property.name === 'Id',
    isReadOnly: property.readOnly,
    isCustom: property.custom,
    nullable: !(world.settings.required[kind.entity] ?? []).includes(property.name),
    tableName: kind.table,
    ...(world.settings.dataTypeShape === 'camel' ? { dataTypeData: data } : { DataTypeData: data }),
  }
}

const relationshipDocuments = (world: World, kind: Kind): Document[] => {
  const entityOf = (target: string): string => String(world.kinds.get(target.toLowerCase())?.entity)
  const row = (name: string, target: string, cardinality: string): Document => ({
    $key: guid(`${kind.entity}.${name}.relationship`),
    $descriptor: name,
    name,
    propertyDataTypeId: relationshipTypeId,
    cardinality,
    parentEntity: cardinality === 'M:1' ? entityOf(target) : kind.entity,
    childEntity: cardinality === 'M:1' ? kind.entity : entityOf(target),
    relatedEntity: entityOf(target),
  })
  return [
    ...kind.relations.map(({ name, target }) => row(name, target, 'M:1')),
    ...kind.collections.map(({ name, target }) => row(name, target, '1:M')),
  ]
}

const validationDocuments = (world: World, kind: Kind): Document[] =>
  (world.settings.required[kind.entity] ?? []).map((name) => ({
    $key: guid(`${kind.entity}.${name}.rule`),
    $descriptor: `${name} is required.`,
    name: `${name}Required`,
    propertyName: name,
    ruleType: 'RequiredField',
  }))

const entityDocument = (world: World, call: Call, kind: Kind): Document => ({
  $key: kind.entity,
  $descriptor: kind.entity,
  $url: `${call.base}/entities('${kind.entity}')`,
  name: kind.entity,
  displayName: kind.entity.replaceAll(/([a-z])([A-Z])/g, '$1 $2'),
  displayNamePlural: kind.name,
  tableName: kind.table,
  isExtension: false,
  sdata: { pathName: kind.feed ? kind.name : null, generate: kind.feed },
  properties: { $resources: shown(world, kind).map((property) => propertyDocument(world, call, kind, property)) },
  relationships: { $resources: relationshipDocuments(world, kind) },
  filters: { $resources: [] },
  validationRules: { $resources: validationDocuments(world, kind) },
})

const children = ['properties', 'relationships', 'filters', 'validationRules']
const entities: Listing = { title: 'Entities', path: 'entities', entity: 'Entity', exact: true, fallback: 10, children }

/** Metadata: present from 8.0 on, ten rows a page by default, names as they are written. */
export const metadata = (world: World, call: Call): Reply => {
  if (world.settings.mode === '7.5.4') throw noHandler('slx/metadata/-/')
  const [first, second, ...rest] = call.segments
  if (first === undefined) {
    const roots = ['entities', 'dataTypes', 'forms'].map((name) => ({
      $key: name,
      $descriptor: name,
      $url: `${call.base}/${name}`,
      name,
    }))
    return listFeed(world, call, roots, { title: 'Metadata', path: '', entity: 'Resource' })
  }
  const kinds = [...world.kinds.values()]
  if (first.name === 'entities' && first.selector === undefined && second === undefined)
    return listFeed(
      world,
      call,
      kinds.map((kind) => entityDocument(world, call, kind)),
      entities,
    )
  if (first.name === 'dataTypes' || first.name === 'forms')
    return listFeed(world, call, [], { ...entities, title: first.name })
  const key = first.selector === undefined ? undefined : keyOf(first.selector)
  const kind = kinds.find((candidate) => candidate.entity === key)
  if (first.name !== 'entities' || key === undefined || rest.length > 0) throw noHandler(`slx/metadata/-/${first.name}`)
  if (kind === undefined) throw notFound('Entity', key)
  const document = entityDocument(world, call, kind)
  if (second === undefined) return oneDocument(world, call, document, entities)
  const list = children.includes(second.name)
    ? (document[second.name] as { $resources: Document[] }).$resources
    : undefined
  if (list === undefined) throw noHandler(`slx/metadata/-/entities('${key}')/${second.name}`)
  const listing = {
    ...entities,
    title: second.name,
    path: `entities('${key}')/${second.name}`,
    entity: 'Property',
    children: ['DataTypeData', 'dataTypeData'],
  }
  if (second.selector === undefined) return listFeed(world, call, list, listing)
  const wanted = keyOf(second.selector)
  const found = list.find((item) => item['$key'] === wanted || item['propertyName'] === wanted)
  if (found === undefined) throw notFound('Property', second.selector)
  return oneDocument(world, call, found, listing)
}
