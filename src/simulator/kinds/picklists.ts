import type { Storage } from '../model.ts'

export type Item = { key: string; text: string; code: string; number: number }
export type Picklist = {
  key: string
  name: string
  allowMultiples: boolean
  valueMustExist: boolean
  required: boolean
  alphaSorted: boolean
  noneEditable: boolean
  items: Item[]
}

const sources: Record<string, string[]> = {
  Title: [
    'CEO',
    'CFO',
    'CIO',
    'Buyer',
    'Director',
    'Engineer',
    'Manager',
    'Marketing Manager',
    'Owner',
    'President',
    'Vice President',
  ],
  'Name Prefix': ['Mr.', 'Ms.', 'Mrs.', 'Dr.', 'Prof.'],
  'Name Suffix': ['Jr.', 'Sr.', 'II', 'III', 'PhD'],
  Industry: [
    'Agriculture',
    'Automotive',
    'Banking',
    'Construction',
    'Education',
    'Energy',
    'Food & Beverage',
    'Healthcare',
    'Insurance',
    "Children's Goods",
    'Retail',
    'Software',
    'Telecom',
    'Transport',
  ],
  'Note Regarding': ['Call', 'Complaint', 'Information', 'Message sent', 'Offer', 'Visit'],
  'Lead Status': ['New', 'Open', 'Working', 'Qualified', 'Unqualified', 'Converted'],
  'Lead Type': ['Customer', 'Prospect', 'Partner', 'Vendor'],
  'Contact Type': ['Customer', 'Decision Maker', 'Influencer', 'User'],
  'Contact Status': ['Active', 'Inactive', 'Left company'],
  'Account Type': ['Customer', 'Lead', 'Partner', 'Prospect', 'Vendor'],
  'Account Status': ['Active', 'Inactive', 'Purge'],
  'Preferred Contact': ['E-mail', 'Phone', 'Mail', 'Fax'],
  Region: ['North', 'South', 'East', 'West', 'Süd-West', 'EMEA / APAC'],
  Segment: ['Small business', 'Mid-market', 'Enterprise', 'Public sector'],
  Tier: ['Gold', 'Silver', 'Bronze'],
}

const codeOf = (text: string): string =>
  text
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, 4)
    .toUpperCase()

export const picklists: Picklist[] = Object.entries(sources).map(([name, texts], list) => {
  const key = `kSYST${String(list + 100).padStart(7, '0')}`
  return {
    key,
    name,
    allowMultiples: false,
    valueMustExist: name === 'Segment' || name === 'Tier',
    required: false,
    alphaSorted: name === 'Industry',
    noneEditable: false,
    items: texts.map((text, index) => ({
      key: `k${list + 100}ITEM${String(index).padStart(4, '0')}`,
      text,
      code: codeOf(text),
      number: index + 1,
    })),
  }
})

/** What an entity holds of an item: as its property says, else (`text`) as the simulator's setting does. */
export const storedForm = (item: Item, storage: Storage, general: Storage): string => {
  const form = storage === 'text' ? general : storage
  return form === 'code' ? item.code : form === 'id' ? item.key : item.text
}
