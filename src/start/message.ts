import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from './api.ts'
import type { Run } from './run.ts'

export type Message = {
  id: string
  name: string
  state: string
  deliveries: Record<string, number>
  notes: Record<string, number>
}
type Person = { email: string | null }
type Items<Row> = { items: Row[] }

const name = 'Welcome to Fairlead'
const people = 50
const html = `<!doctype html>
<html lang="en">
<body style="font-family: sans-serif">
<h1>Welcome, {{ first_name | default: "there" }}!</h1>
<p>This is a demonstration: it has been sent to {{ email }}, and the simulated CRM has a note that links to exactly what you see here.</p>
<p><a href="{{ preview_url }}">See it in a browser</a> · <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
</body>
</html>
`

const listsOf = (imports: Run[]): string[] => imports.flatMap(({ list }) => (list === null ? [] : [list.id]))

const canBeMailed = {
  and: [
    { property: 'suppressed', operator: 'is', value: false },
    { column: 'email', operator: 'contains', value: '@' },
  ],
}
const plain = /^[\w.+-]+@[\w-]+(\.[\w-]+)+$/

/** Some people of the list who can be mailed, as a segment. `others` have been chosen already. */
const segmentOf = async (api: Api, listId: string, others: Set<string>, count: number): Promise<string> => {
  const { items } = (await api.call('POST', `/v1/lists/${listId}/records/search`, {
    filter: canBeMailed,
    limit: 200,
  })) as Items<Person>
  const emails = items.flatMap(({ email }) => (email !== null && plain.test(email) ? [email.toLowerCase()] : []))
  const values = [...new Set(emails)].filter((email) => !others.has(email)).slice(0, count)
  for (const email of values) others.add(email)
  const segment = { name: 'Demo', filter: { column: 'email', operator: 'in', values } }
  return ((await api.call('POST', `/v1/lists/${listId}/segments`, segment)) as { id: string }).id
}

/** Some of each list. */
const draft = async (api: Api, lists: string[]): Promise<Message> => {
  const chosen = new Set<string>()
  const segments: string[] = []
  for (const listId of lists) segments.push(await segmentOf(api, listId, chosen, Math.ceil(people / lists.length)))
  const from = { name: 'Fairlead', email: 'demo@fairlead.example' }
  const message = { name, subject: 'Welcome, {{ first_name | default: "there" }}', html, from, audience: { segments } }
  return (await api.call('POST', '/v1/messages', message)) as Message
}

const known = async (api: Api): Promise<Message | undefined> => {
  const { items } = (await api.call('GET', '/v1/messages?limit=200')) as Items<Message>
  return items.find((each) => each.name === name)
}

const isUnderWay = ({ state, deliveries, notes }: Message): boolean =>
  ['scheduled', 'sending'].includes(state) ||
  [deliveries['waiting'], deliveries['sending'], notes['waiting'], notes['creating']].some((count) => (count ?? 0) > 0)

const counted = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ') || 'none'

/** The message as one line, and why it is not what a demonstration should be, if it is not. */
export const told = ({ name, deliveries, notes }: Message): { line: string; isFine: boolean } => {
  const { accepted = 0, skipped = 0, ...others } = deliveries
  const isFine = accepted > 0 && accepted === notes['written'] && Object.values(others).every((count) => count === 0)
  return {
    line: `The message "${name}": mails ${counted({ accepted, skipped, ...others })}; notes in the CRM ${counted(notes)}`,
    isFine,
  }
}

/** Where one of its mails can be looked at, as the notes in the CRM link to it. */
export const previewOf = async (api: Api, { id }: Message): Promise<string | null> => {
  const path = `/v1/messages/${id}/deliveries?state=accepted&limit=1`
  const { items } = (await api.call('GET', path)) as Items<{ preview: { url: string } | null }>
  return items[0]?.preview?.url ?? null
}

/** G1, G3: one message to fifty simulated people, sent once, and its notes in the simulated CRM. Answers the message when nothing of it is under way. */
export const sendDemo = async (api: Api, imports: Run[], signal: AbortSignal): Promise<Message> => {
  const { id, state } = (await known(api)) ?? (await draft(api, listsOf(imports)))
  const get = async () => (await api.call('GET', `/v1/messages/${id}`)) as Message
  if (state === 'draft') await api.call('POST', `/v1/messages/${id}/send`)
  let message = await get()
  for (; isUnderWay(message); message = await get()) await sleep(250, undefined, { signal })
  return message
}
