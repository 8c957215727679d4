import { expect, test } from 'vitest'
import { open, type Entry } from './support.ts'

test('metadata lists entities, ten at a time, with the path of their feed', async () => {
  const { feed } = await open()
  const page = await feed('metadata/-/entities?select=name,tableName,displayName,sdata/pathName')
  expect(page.$itemsPerPage).toBe(10)
  expect(page.$resources[0]).toMatchObject({
    name: 'Lead',
    tableName: 'LEAD',
    displayName: 'Lead',
    sdata: { pathName: 'leads' },
  })
  expect(page.$resources[0]).not.toHaveProperty('properties')
})

test('properties say what they are: type, length, picklist, custom, read-only', async () => {
  const { feed } = await open()
  const path = "metadata/-/entities('Lead')/properties?count=500&include=DataTypeData"
  const properties = new Map((await feed(path)).$resources.map((item) => [item['propertyName'], item]))
  expect(properties.get('Email')).toMatchObject({
    displayName: 'E-mail',
    propertyDataTypeId: '31e8638d-4232-4c61-8827-d94132a33887',
    isReadOnly: false,
    isKey: false,
    isCustom: false,
    DataTypeData: { Length: 128 },
  })
  expect(properties.get('Id')).toMatchObject({ isKey: true, isReadOnly: true })
  expect(properties.get('Industry')).toMatchObject({
    DataTypeData: { Length: 64, PickListName: 'Industry', Storage: 'Text' },
  })
  expect(properties.get('CTier')).toMatchObject({
    isCustom: true,
    DataTypeData: { PickListName: 'Tier', Storage: 'ID' },
  })
  expect(properties.get('CBirthday')).toMatchObject({ DataTypeData: { DateTimeType: 'Timeless' } })
  expect(properties.get('LeadFullName')).toMatchObject({ isReadOnly: true })
  expect((await feed("metadata/-/entities('Lead')/properties")).$resources).toHaveLength(10)
  expect((await feed("metadata/-/entities('Lead')/properties")).$resources[0]?.['DataTypeData']).toEqual({
    $url: expect.any(String),
  })
})

test('properties can be filtered, sorted and selected, by names as they are written', async () => {
  const { feed, ask } = await open()
  const path = "metadata/-/entities('Contact')/properties"
  const found = await feed(
    `${path}?count=500&where=isReadOnly%20eq%20false&orderby=propertyName&select=propertyName,propertyDataTypeId`,
  )
  const names = found.$resources.map((item) => String(item['propertyName']))
  expect(names).toEqual(names.toSorted((a, b) => a.localeCompare(b)))
  expect(names).toContain('DoNotFax')
  expect(names).not.toContain('NameLF')
  expect(Object.keys(found.$resources[0] as Entry).filter((name) => !name.startsWith('$'))).toEqual([
    'propertyName',
    'propertyDataTypeId',
  ])
  expect((await ask(`${path}?select=propertyname`)).status).toBe(500)
  expect((await ask("metadata/-/entities('contact')/properties")).status).toBe(404)
})

test.each([
  ['camel', 'dataTypeData', { length: '64', pickListName: 'Industry', storage: 'T' }],
  [
    'xml',
    'DataTypeData',
    '<PickListDataType><Length>64</Length><PickListName>Industry</PickListName><Storage>Text</Storage></PickListDataType>',
  ],
] as const)('the data type can be spelled otherwise: %s', async (dataTypeShape, name, expected) => {
  const { feed, control } = await open()
  control.settings({ dataTypeShape })
  const path = "metadata/-/entities('Lead')/properties?include=DataTypeData&where=propertyName%20eq%20'Industry'"
  expect((await feed(path)).$resources[0]?.[name]).toEqual(expected)
})

test('relationships and validation rules are listed', async () => {
  const { feed } = await open()
  const relations = await feed("metadata/-/entities('Contact')/relationships?count=50")
  expect(relations.$resources).toContainEqual(
    expect.objectContaining({ name: 'Account', relatedEntity: 'Account', cardinality: 'M:1' }),
  )
  const rules = await feed("metadata/-/entities('Lead')/validationRules")
  expect(rules.$resources.map((rule) => rule['propertyName'])).toEqual(['LastName', 'Company'])
})

test('7.5.4 has no metadata contract, no secured actions, and an older database', async () => {
  const { ask, json } = await open({ mode: '7.5.4' })
  const answer = await ask('metadata/-/entities')
  expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining('ApplicationNotFound')])
  expect((await json("system/-/systemOptions('DatabaseVersion')"))['value']).toMatch(/^7\.5\.4\./)
  const { response } = await json<{ response: Entry }>('system/-/$service/getCurrentUser', { method: 'POST', body: {} })
  expect(response).not.toHaveProperty('securedActions')
  expect((await ask('dynamic/-/leads/$template')).status).toBe(200)
})

test('the schema and the template describe an entity without the metadata contract', async () => {
  const { ask, json } = await open()
  const schema = await (await ask('dynamic/-/leads/%24schema')).text()
  expect(schema).toMatch(
    /<xs:element name="Email"[^>]*sme:label="E-mail"[^>]*>\s*<xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="128"\/>/,
  )
  expect(schema).toMatch(/name="CNewsletter"[^>]*type="xs:boolean"/)
  expect(schema).toMatch(/name="LeadFullName"[^>]*sme:isReadOnly="true"/)
  const template = await json('dynamic/-/leads/$template')
  expect(template).toMatchObject({ Status: 'New', DoNotEmail: false, Company: null })
  expect(template).not.toHaveProperty('$key')
  expect(template).not.toHaveProperty('LeadFullName')
})

test('picklists come by name, by key, with items, and entities hold what their storage says', async () => {
  const { feed, json, control } = await open()
  const list = await json("system/-/picklists(name%20eq%20'Segment')")
  const where = "where=name%20eq%20'Segment'&include=items&select=name,allowMultiples,items/text,items/code"
  const [found] = (await feed(`system/-/picklists?${where}`)).$resources
  expect(found).toMatchObject({ name: 'Segment', allowMultiples: false })
  const { $resources: items } = (found as Entry)['items'] as { $resources: Entry[] }
  expect(Object.keys(items[0] as Entry)).toEqual(['$key', 'text', 'code'])
  expect((await feed(`system/-/picklists('${list.$key}')/items`)).$resources.map(({ $key }) => $key)).toEqual(
    items.map(({ $key }) => $key),
  )
  const stored = async (name: string): Promise<Set<unknown>> =>
    new Set(
      (await feed(`dynamic/-/leads?count=300&select=${name}&where=${name}%20ne%20null`)).$resources.map(
        (lead) => lead[name],
      ),
    )
  expect(await stored('CSegment')).toEqual(new Set(items.map((item) => item['code'])))
  expect([...(await stored('CTier'))].every((id) => /^k\d+ITEM\d+$/.test(String(id)))).toBe(true)
  expect(await stored('Status')).toContain('Qualified')
  control.settings({ picklistStorage: 'code' })
  expect(await stored('Status')).toContain('QUAL')
})

test('options, users and owners can be read', async () => {
  const { feed, json } = await open()
  expect(
    (await feed("system/-/systemOptions?where=name%20eq%20'DatabaseVersion'&select=name,value")).$resources[0],
  ).toMatchObject({ value: expect.stringMatching(/^8\.5\.0\.1/) })
  expect((await feed("system/-/useroptions?where=name%20eq%20'InsertSecCodeID'")).$resources[0]).toMatchObject({
    category: 'General',
    value: 'FADMIN000001',
  })
  const where = 'where=Enabled%20eq%20true%20and%20(Type%20ne%203%20and%20Type%20ne%205)'
  const users = (
    await feed(`dynamic/-/users?${where}&select=UserName,Type,UserInfo/UserName,DefaultOwner/OwnerDescription`)
  ).$resources
  expect(users.map((user) => user['UserName'])).not.toContain('ed')
  expect(users[0]).toMatchObject({ $key: 'ADMIN       ', Type: 'Admin', UserInfo: { UserName: 'Ada Ministrator' } })
  expect((await feed("dynamic/-/users?where=Type%20eq%20'Admin'")).$resources).toHaveLength(1)
  expect(await json("dynamic/-/userInfo('ADMIN')")).toMatchObject({ FirstName: 'Ada' })
  expect((await feed('dynamic/-/owners')).$resources[0]).toHaveProperty('OwnerDescription')
})
