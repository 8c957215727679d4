import { SaxesParser } from 'saxes'
import type { CallOptions } from '../../domain/crm.ts'
import { typeOf } from './datatype.ts'
import { isRefusal, spellOut, type Described } from './metadata.ts'
import type { Session } from '../session.ts'

type Attributes = Map<string, string>

const attributesOf = (raw: Record<string, unknown>): Attributes =>
  new Map(Object.entries(raw).map(([name, value]) => [name.replace(/^.*:/, '').toLowerCase(), String(value)]))

const isTrue = (attributes: Attributes, name: string): boolean => /^(true|1)$/i.test(attributes.get(name) ?? '')

const plainType =
  /^(xs|xsd)?:?(string|normalizedString|token|date|dateTime|time|boolean|decimal|double|float|int|integer|long|short|byte|unsigned\w+|\w+Integer)$/i

const describe = (attributes: Attributes, maxLength: number | null): Described | null => {
  const name = attributes.get('name') ?? ''
  const type = attributes.get('type') ?? 'xs:string'
  if (
    name === '' ||
    name.startsWith('$') ||
    isTrue(attributes, 'iscollection') ||
    attributes.has('relationship') ||
    !plainType.test(type)
  )
    return null
  const local = type.replace(/^.*:/, '')
  const picklist = attributes.get('picklistname') ?? attributes.get('picklist') ?? null
  const length = Number(attributes.get('maxlength') ?? maxLength ?? 0)
  const readOnly = isTrue(attributes, 'isreadonly')
  return {
    name: name.toLowerCase() === 'id' ? 'Id' : name,
    label: attributes.get('label') || spellOut(name),
    type: picklist ? 'picklist' : local.toLowerCase() === 'datetime' ? 'instant' : typeOf(local),
    maxLength: length > 0 && length < 2_000_000_000 ? length : null,
    picklist,
    picklistStorage: picklist ? 'text' : null,
    readOnly,
    required: !readOnly && isTrue(attributes, 'ismandatory'),
  }
}

/** Complex types of an XSD by name in lower case, without `--type`; relations and collections left out. */
export const parseSchema = (xsd: string): Map<string, Described[]> => {
  const types = new Map<string, Described[]>()
  const stack: string[] = []
  let current: Described[] | null = null
  let element: { attributes: Attributes; maxLength: number | null; depth: number } | null = null
  const parser = new SaxesParser({})
  parser.on('opentag', (tag) => {
    const local = tag.name.replace(/^.*:/, '')
    const attributes = attributesOf(tag.attributes)
    stack.push(local)
    if (local === 'complexType' && attributes.has('name')) {
      current = []
      types.set(
        attributes
          .get('name')!
          .replace(/-+type$/i, '')
          .toLowerCase(),
        current,
      )
    }
    if (local === 'element' && element === null) element = { attributes, maxLength: null, depth: stack.length }
    if (element && local === 'restriction' && attributes.has('base'))
      element.attributes.set('type', attributes.get('base')!)
    if (element && local === 'maxLength') element.maxLength = Number(attributes.get('value') ?? 0)
  })
  parser.on('closetag', () => {
    if (element && element.depth === stack.length) {
      const described = current && describe(element.attributes, element.maxLength)
      if (described) current?.push(described)
      element = null
    }
    if (stack.pop() === 'complexType' && element === null && !stack.includes('complexType')) current = null
  })
  parser.on('error', (error) => {
    throw error
  })
  parser.write(xsd).close()
  return types
}

/** The feed's own description (9.4); null where there is none that can be read. */
export const readSchema = async (
  { client }: Session,
  path: string,
  options: CallOptions,
): Promise<Map<string, Described[]> | null> => {
  try {
    const { text } = await client.ask({ path: `${path}/$schema`, xml: true }, options)
    const types = parseSchema(text)
    return types.size > 0 ? types : null
  } catch (error) {
    if (isRefusal(error) || (error instanceof Error && error.name === 'Error')) return null
    throw error
  }
}
