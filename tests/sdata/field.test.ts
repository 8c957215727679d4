import { onTestFinished, describe, expect, test } from 'vitest'
import { parseSchema } from '../../src/sdata/fields/schema.ts'
import { isSecretField } from '../../src/domain/field.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { failure, feed, openCrm, tinyServer, type Reaction, type Seen } from './support.ts'

const start = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const simulator = await startSimulator({ leads: 40, contacts: 40, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}
const fieldsOf = async (url: string, entity: 'lead' | 'contact' = 'lead') =>
  openCrm(url, { password: 'secret' }).fields(entity)
const named = <Field extends { name: string }>(fields: Field[], name: string): Field | undefined =>
  fields.find((field) => field.name === name)
const notThere: Reaction = {
  status: 404,
  json: [{ severity: 'Error', sdataCode: 'ApplicationNotFound', message: 'Unable to locate a handler' }],
}

describe('I3: fields of the CRM', () => {
  test('say type, length, custom, read-only, required, picklist and its storage', async () => {
    const simulator = await start()
    const fields = await fieldsOf(simulator.url)
    expect(fields.slice(0, 3).map(({ name, locked }) => [name, locked])).toEqual([
      ['Email', true],
      ['FirstName', true],
      ['LastName', true],
    ])
    expect(named(fields, 'LastName')).toMatchObject({
      type: 'text',
      maxLength: 32,
      custom: false,
      required: true,
      readOnly: false,
    })
    expect(named(fields, 'WorkPhone')).toMatchObject({ label: 'Work Phone', type: 'phone', maxLength: 32 })
    expect(named(fields, 'DoNotFAX')).toMatchObject({ type: 'boolean', maxLength: null })
    expect(named(fields, 'ModifyDate')).toMatchObject({ type: 'instant', readOnly: true })
    expect(named(fields, 'CRegion')).toMatchObject({ type: 'text', maxLength: 40, custom: true })
    expect(named(fields, 'CBudget')).toMatchObject({ type: 'number', custom: true })
    expect(named(fields, 'CBirthday')).toMatchObject({ type: 'date', custom: true })
    expect(named(fields, 'Title')).toMatchObject({
      type: 'picklist',
      picklist: 'Title',
      picklistStorage: 'text',
      custom: false,
    })
    expect(named(fields, 'CSegment')).toMatchObject({ type: 'picklist', picklist: 'Segment', picklistStorage: 'code' })
    expect(named(fields, 'CTier')).toMatchObject({ type: 'picklist', picklist: 'Tier', picklistStorage: 'id' })
    expect(named(fields, 'Address/City')).toMatchObject({
      type: 'text',
      maxLength: 32,
      address: true,
      locked: false,
      custom: false,
    })
    expect(fields.some(({ name }) => name.startsWith('Account') || name === 'Owner' || name === 'Addresses')).toBe(
      false,
    )
  })

  test('are the same from every spelling of data types', async () => {
    const simulator = await start()
    const usual = await fieldsOf(simulator.url, 'contact')
    for (const dataTypeShape of ['camel', 'xml'] as const) {
      simulator.control.settings({ dataTypeShape })
      expect(await fieldsOf(simulator.url, 'contact')).toEqual(usual)
    }
  })

  test('never hold a secret, whatever the entity', async () => {
    const simulator = await start()
    for (const entity of ['lead', 'contact'] as const)
      for (const { name } of await fieldsOf(simulator.url, entity)) expect(isSecretField(name)).toBe(false)
    expect(
      ['WebPassword', 'WebPasswordHint', 'webpassword', 'CApiToken', 'UserPwd', 'Address/ClientSecret'].every(
        isSecretField,
      ),
    ).toBe(true)
    expect(['Secretary', 'PinNumber', 'Hinterland', 'Compassword'.slice(0, 7), 'Email'].some(isSecretField)).toBe(false)
  })

  test('that the feed does not show are not offered, although metadata lists them', async () => {
    const simulator = await start()
    simulator.control.addFault({ kind: 'missingProperty', entity: 'Lead', property: 'Industry' })
    expect(named(await fieldsOf(simulator.url), 'Industry')).toBeUndefined()
    const withoutSchema = await start()
    withoutSchema.control.addFault({ kind: 'missingProperty', entity: 'Lead', property: 'Industry' })
    withoutSchema.control.addFault({
      kind: 'errorArray',
      status: 404,
      sdataCode: 'ApplicationNotFound',
      match: { contains: '$schema' },
    })
    const fields = await fieldsOf(withoutSchema.url)
    expect(named(fields, 'Industry')).toBeUndefined()
    expect(named(fields, 'Title')).toMatchObject({ picklist: 'Title' })
  })

  test('of 7.5.4 come from the schema, and without it from the template and people’s values', async () => {
    const simulator = await start({ mode: '7.5.4' })
    const fromSchema = await fieldsOf(simulator.url)
    expect(named(fromSchema, 'CRegion')).toMatchObject({ type: 'text', maxLength: 40, custom: true })
    expect(named(fromSchema, 'CBirthday')).toMatchObject({ type: 'date' })
    expect(named(fromSchema, 'Address/City')).toMatchObject({ address: true })
    simulator.control.addFault({
      kind: 'errorArray',
      status: 404,
      sdataCode: 'ApplicationNotFound',
      match: { contains: '$schema' },
    })
    const guessed = await fieldsOf(simulator.url)
    expect(named(guessed, 'Email')).toMatchObject({ type: 'email', locked: true })
    expect(named(guessed, 'DoNotEmail')).toMatchObject({ type: 'boolean' })
    expect(named(guessed, 'CreateDate')).toMatchObject({ type: 'instant', readOnly: true })
    expect(named(guessed, 'CRegion')).toMatchObject({ type: 'text', custom: true })
    expect(simulator.control.gauges()).toMatchObject({ secretReads: 0, secretReplies: 0 })
  })

  test('of a kind that is switched off end with entityDisabled', async () => {
    const simulator = await start()
    simulator.control.addFault({ kind: 'disabledKind', name: 'leads' })
    expect((await failure(fieldsOf(simulator.url))).code).toBe('entityDisabled')
    expect(
      (await failure(openCrm(simulator.url, { password: 'secret' }).keys('lead', { after: null, upTo: null }))).code,
    ).toBe('entityDisabled')
  })

  test('are read to the last of ten thousand, ten by ten if need be, each name once', async () => {
    const rows = Array.from({ length: 10_000 }, (_, at) => ({
      $key: `p${at}`,
      propertyName: `CField${at}`,
      displayName: `Field ${at}`,
      propertyDataTypeId: 'ccc0f01d-7ba5-408e-8526-a3f942354b3a',
      dataTypeData: { length: 10 },
    }))
    const twins = [...rows, { $key: 'twin', propertyName: 'CFIELD7', displayName: 'Twin' }]
    const server = await tinyServer(({ path, query }: Seen) => {
      if (!path.includes("entities('Lead')/properties"))
        return path.includes('metadata') || path.includes('$') ? notThere : { json: feed([]) }
      const from = Number(query.get('startIndex') ?? 1) - 1
      return { json: feed(twins.slice(from, from + 250), { $totalResults: twins.length }) }
    })
    const fields = await fieldsOf(server.root)
    expect(fields.filter(({ custom }) => custom)).toHaveLength(10_000)
    expect(named(fields, 'CField9999')).toMatchObject({ label: 'Field 9999', maxLength: 10 })
    expect(named(fields, 'Email')).toMatchObject({ locked: true })
  })

  test('are understood in other spellings of the metadata contract', async () => {
    const rows = [
      { name: 'CLevel', label: 'Level', dataType: 'Integer', readOnly: true },
      {
        PropertyName: 'CSince',
        DisplayName: 'Since',
        PropertyDataTypeId: '{1F08F2EB-87C8-443B-A7C2-A51F590923F5}',
        IsReadOnly: 'false',
        IsRequired: 'T',
      },
      {
        propertyName: 'CKind',
        dataTypeName: 'PickList',
        dataTypeData: '{"PickListName":"Kinds","Storage":"CodeUnicode"}',
        maximumLength: '12',
      },
      { propertyName: 'Boss', propertyDataTypeId: '2f770d03-c93c-4605-8ae8-7cdae04830d7' },
      { propertyName: 'CHidden', isIncluded: false },
    ]
    const server = await tinyServer(({ path, query }: Seen) => {
      if (path.endsWith("entities('Lead')/properties"))
        return { json: { $resources: Number(query.get('startIndex')) > 1 ? [] : rows } }
      return path.includes('metadata') || path.includes('$') ? notThere : { json: feed([]) }
    })
    const fields = await fieldsOf(server.root)
    expect(named(fields, 'CLevel')).toMatchObject({ label: 'Level', type: 'number', readOnly: true })
    expect(named(fields, 'CSince')).toMatchObject({ type: 'instant', required: true })
    expect(named(fields, 'CKind')).toMatchObject({
      label: 'Kind',
      picklist: 'Kinds',
      picklistStorage: 'code',
      maxLength: 12,
    })
    expect(named(fields, 'Boss')).toBeUndefined()
    expect(named(fields, 'CHidden')).toBeUndefined()
  })
})

test('a schema names plain properties with length, label and flags, relations and collections left out', () => {
  const types =
    parseSchema(`<?xml version="1.0"?><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:sme="http://schemas.sage.com/sdata/sme/2007">
    <xs:element name="Lead" type="tns:Lead--type"/>
    <xs:complexType name="Lead--type"><xs:all>
      <xs:element name="Email" sme:label="E-mail &amp; more" sme:isMandatory="true"><xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="128"/></xs:restriction></xs:simpleType></xs:element>
      <xs:element name="Score" type="xs:decimal" sme:isReadOnly="true"/>
      <xs:element name="Account" type="tns:Account--type" sme:relationship="association"/>
      <xs:element name="Notes" sme:isCollection="true" type="tns:Note--list"/>
    </xs:all></xs:complexType></xs:schema>`)
  expect(types.get('lead')).toEqual([
    expect.objectContaining({ name: 'Email', label: 'E-mail & more', maxLength: 128, required: true, type: 'text' }),
    expect.objectContaining({ name: 'Score', type: 'number', readOnly: true, required: false }),
  ])
})

describe('picklists', () => {
  test('are read once, and a value without item passes through', async () => {
    const simulator = await start()
    const crm = openCrm(simulator.url, { password: 'secret' })
    const fields = (await crm.fields('lead')).filter(({ name }) => name === 'CSegment')
    const id = simulator.control.people({ entity: 'lead', count: 1 }).items[0]!.Id
    simulator.control.edit({ entity: 'lead', id, values: { CSegment: 'ZZZZ' } })
    for (let turn = 0; turn < 3; turn += 1) {
      const { rows } = await crm.people('lead', fields, { after: null, upTo: null })
      expect(rows.find((person) => person.id === id)?.values['CSegment']).toBe('ZZZZ')
      expect(rows.some(({ values }) => values['CSegment'] === 'Small business')).toBe(true)
    }
    const reads = simulator.control.journal().filter(({ path }) => path.toLowerCase().includes('picklists'))
    expect(reads).toHaveLength(1)
  })

  test('that the CRM fails to deliver leave their field out, so that a code never passes for a text', async () => {
    const simulator = await start()
    const crm = openCrm(simulator.url, { password: 'secret' })
    const fields = (await crm.fields('lead')).filter(({ name }) => name === 'CSegment' || name === 'Email')
    simulator.control.addFault({ kind: 'htmlError', match: { contains: 'picklists' } })
    const page = await crm.people('lead', fields, { after: null, upTo: null })
    expect(page.rows.every(({ values }) => 'Email' in values && !('CSegment' in values))).toBe(true)
    expect(page.warnings).toEqual([{ code: 'fieldAbsent', field: 'CSegment', count: 40 }])
  })

  test('whose items are only linked are read from there', async () => {
    const server = await tinyServer(({ path, query }: Seen) => {
      if (path.endsWith("picklists('k1')/items"))
        return { json: feed(Number(query.get('startIndex')) > 1 ? [] : [{ $key: 'i1', text: 'Gold', code: 'G' }]) }
      if (path.endsWith('picklists'))
        return { json: feed([{ $key: 'k1', name: 'Tier', items: { $url: 'http://10.0.0.1/x' } }]) }
      return { json: feed([{ $key: 'Q1', CTier: 'G' }]) }
    })
    const fields = [
      {
        name: 'CTier',
        label: 'Tier',
        type: 'picklist' as const,
        maxLength: null,
        custom: true,
        readOnly: false,
        required: false,
        locked: false,
        address: false,
        picklist: 'Tier',
        picklistStorage: 'code' as const,
      },
    ]
    expect((await openCrm(server.root).people('lead', fields, { after: null, upTo: 'Q1' })).rows[0]?.values).toEqual({
      CTier: 'Gold',
    })
  })
})
