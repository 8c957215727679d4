import type { Kind, Property, PropertyType } from '../model.ts'
import { propertyNamed } from '../query/scope.ts'
import type { World } from '../world.ts'

const types: Partial<Record<PropertyType, string>> = {
  boolean: 'xs:boolean',
  integer: 'xs:int',
  number: 'xs:double',
  decimal: 'xs:decimal',
  instant: 'xs:dateTime',
  date: 'xs:dateTime',
}

export const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const attributes = (property: Property, required: boolean): string =>
  [
    `sme:label="${escapeXml(property.label)}"`,
    `sme:isReadOnly="${property.readOnly}"`,
    `sme:isMandatory="${required}"`,
    'sme:canFilter="true"',
    'sme:canSort="true"',
    'sme:precedence="2"',
    ...(property.name === 'Id' ? ['sme:isUniqueKey="true"'] : []),
  ].join(' ')

const elementOf = (property: Property, required: boolean): string => {
  const open = `      <xs:element name="${property.name}" minOccurs="0" nillable="true" ${attributes(property, required)}`
  const type = types[property.type] ?? 'xs:string'
  if (property.length === null) return `${open} type="${type}"/>`
  return `${open}>
        <xs:simpleType><xs:restriction base="${type}"><xs:maxLength value="${property.length}"/></xs:restriction></xs:simpleType>
      </xs:element>`
}

/** XSD with the sme attributes of sdata.md 9.4. */
export const schemaOf = (world: World, kind: Kind): string => {
  const required = world.settings.required[kind.entity] ?? []
  const shown = kind.properties.filter(({ name }) => propertyNamed(world, kind, name) !== undefined)
  const relations = kind.relations.map(
    ({ name, target }) =>
      `      <xs:element name="${name}" type="tns:${world.kinds.get(target.toLowerCase())?.entity}--type" minOccurs="0" nillable="true" sme:relationship="association" sme:isCollection="false" sme:isMandatory="${required.includes(name)}"/>`,
  )
  const collections = kind.collections.map(
    ({ name, target }) =>
      `      <xs:element name="${name}" type="tns:${world.kinds.get(target.toLowerCase())?.entity}--list" minOccurs="0" nillable="true" sme:relationship="child" sme:isCollection="true"/>`,
  )
  return `<?xml version="1.0" encoding="utf-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:sme="http://schemas.sage.com/sdata/sme/2007" xmlns:tns="http://schemas.sage.com/dynamic/2007" targetNamespace="http://schemas.sage.com/dynamic/2007" elementFormDefault="qualified">
  <xs:element name="${kind.entity}" type="tns:${kind.entity}--type" sme:role="resourceKind" sme:pluralName="${kind.name}" sme:canGet="true" sme:canPost="true" sme:canPut="true" sme:canDelete="true" sme:path="${kind.name}"/>
  <xs:complexType name="${kind.entity}--list">
    <xs:sequence><xs:element name="${kind.entity}" type="tns:${kind.entity}--type" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>
  </xs:complexType>
  <xs:complexType name="${kind.entity}--type">
    <xs:all>
${[...shown.map((property) => elementOf(property, required.includes(property.name))), ...relations, ...collections].join('\n')}
    </xs:all>
  </xs:complexType>
</xs:schema>
`
}
