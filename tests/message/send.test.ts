import { simpleParser } from 'mailparser'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import * as messages from '../../src/db/message.ts'
import { activeOf } from '../../src/db/delivery/request.ts'
import { retry, type Retried } from '../../src/db/run/retry.ts'
import { requestCancel } from '../../src/db/run/state.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openMailServer, type MailServer } from '../support/mail.ts'
import { addPeople, openMessage } from '../support/message.ts'
import { plainList } from '../support/plain.ts'

let fairlead: Fairlead
let mail: MailServer
beforeAll(async () => {
  mail = await openMailServer()
  fairlead = await openFairlead({
    leads: 1,
    contacts: 1,
    environment: {
      SMTP_URL: mail.url,
      PUBLIC_URL: 'https://fairlead.example/',
      MAIL_RETRY_SECONDS: '0.2,0.2,0.2',
      SMTP_TIMEOUT_MS: '1500',
    },
  })
})
afterAll(async () => {
  await fairlead.close()
  await mail.close()
})

let lists = 0
const listOf = async (people: Parameters<typeof addPeople>[2]): Promise<string> => {
  const { listId } = await plainList(fairlead, `People ${(lists += 1)}`, {})
  const hashKey = await hashKeyOf(fairlead.db, fairlead.wiring.secrets, fairlead.accountId)
  await addPeople(fairlead, listId, people, (email) => emailKeyOf(hashKey, email))
  return listId
}
const crowd = (name: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ email: `p${n}@${name}.example`, first: `Zoë ${n}`, last: 'O’Neill' }))

test('G1, R35: every mail is what is stored of it, byte for byte, with one-click unsubscribe; who is not mailed is counted by reason', async () => {
  const people = [
    ...crowd('bytes', 30),
    { email: null },
    { email: 'P3@BYTES.example' },
    { email: 'never@bytes.example' },
  ]
  const listId = await listOf(people)
  const hashKey = await hashKeyOf(fairlead.db, fairlead.wiring.secrets, fairlead.accountId)
  const key = emailKeyOf(hashKey, 'never@bytes.example')
  await fairlead.db.$client`
    insert into suppressions (account_id, email_key, email, reason, source) values (${fairlead.accountId}, ${key}, 'never@bytes.example', 'manual', 'admin')`
  const long = `<p>${'sehr lang '.repeat(300)}</p>`
  const message = await openMessage(fairlead, listId, {
    html: `<html><body>\r\n{{ first_name }} ${long}\r\n.\r\n..\n=3D  \n<a href="{{ unsubscribe_url }}">x</a>{{ preview_url }}</body></html>`,
  })
  const run = await fairlead.finished(await message.send())
  expect(run).toMatchObject({ state: 'succeeded', kind: 'send', balance: { balanced: true } })
  expect(run.counts!['send']).toMatchObject({ read: 33, created: 30, skipped: 3, rejected: 0 })
  expect(await message.state()).toBe('sent')
  const all = await message.deliveries()
  expect(
    all
      .filter(({ state }) => state === 'skipped')
      .map(({ code }) => code)
      .toSorted((a, b) => (a! < b! ? -1 : 1)),
  ).toEqual(['duplicateAddress', 'noEmail', 'suppressed'])
  const own = mail.received.filter(({ to }) => to.endsWith('@bytes.example'))
  expect(own).toHaveLength(30)
  for (const { to, raw } of own) {
    const delivery = all.find(({ email, state }) => email?.toLowerCase() === to && state === 'accepted')!
    const parsed = await simpleParser(raw, { skipHtmlToText: true })
    const kept = (await message.content(delivery.id))!
    expect(parsed.html).toBe(kept.html.toString())
    expect(parsed.text).toBe(kept.text)
    expect(parsed.subject).toBe(kept.subject)
    expect(kept.subject).toMatch(/^Grüße an Zoë \d+$/)
    expect(parsed.messageId).toBe(`<${delivery.id}@sender.example>`)
    expect(parsed.from!.value).toEqual([{ name: 'Müller, Straße & Söhne', address: 'news@sender.example' }])
    expect(parsed.replyTo!.text).toBe('answers@sender.example')
    expect(parsed.date).toBeInstanceOf(Date)
    const head = raw.toString('latin1').split('\r\n\r\n')[0]!
    expect(head.replaceAll(/\r\n\s+/g, '')).toContain(
      `List-Unsubscribe: <https://fairlead.example/u/${delivery.unsubscribeToken}>`,
    )
    expect(head).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click')
    expect(
      raw
        .toString('latin1')
        .split('\r\n')
        .every((line) => line.length <= 998 && !line.includes('\n')),
    ).toBe(true)
    expect(kept.html.toString()).toContain(`https://fairlead.example/p/${delivery.previewToken}`)
  }
  expect(mail.most()).toBeGreaterThan(1)
  const [listed] = await fairlead.db.$client<
    [{ n: number }]
  >`select count(*)::int as n from entries where last_run_id = ${run.id}`
  expect(listed.n).toBe(3)
})

test('R34: a dead address is refused and suppressed, a policy is refused and not suppressed, a greylisted mail arrives later', async () => {
  const names = ['dead', 'policy', 'plain550', 'grey', 'never', 'body', 'fine']
  const listId = await listOf(names.map((name) => ({ email: `${name}@answers.example`, first: name })))
  const of = (name: string) => `${name}@answers.example`
  mail.turns.set(of('dead'), [{ at: 'rcpt', answer: '550 5.1.1 dead@answers.example is nobody' }])
  mail.turns.set(of('policy'), [{ at: 'rcpt', answer: '550 5.7.1 policy' }])
  mail.turns.set(of('plain550'), [{ at: 'rcpt', answer: '550 no such user' }])
  mail.turns.set(of('body'), [{ at: 'data', answer: '554 5.6.0 not this one' }])
  mail.turns.set(of('grey'), [
    { at: 'rcpt', answer: '450 4.2.0 greylisted' },
    { at: 'data', answer: '451 4.3.0 later' },
  ])
  mail.always.set(of('never'), { at: 'rcpt', answer: '452 4.2.2 full' })
  const message = await openMessage(fairlead, listId)
  const run = await fairlead.finished(await message.send())
  expect(run.counts!['send']).toMatchObject({ read: 7, created: 2, rejected: 5 })
  expect(run.balance).toMatchObject({ balanced: true })
  const byName = new Map((await message.deliveries()).map((each) => [each.email!.split('@')[0]!, each]))
  const refused = { state: 'rejected', code: 'mailRefused' }
  expect(byName.get('dead')).toMatchObject({ ...refused, smtpStatus: 550, smtpCode: '5.1.1' })
  expect(byName.get('policy')).toMatchObject({ ...refused, smtpCode: '5.7.1' })
  expect(byName.get('plain550')).toMatchObject({ ...refused, smtpCode: null })
  expect(byName.get('body')).toMatchObject({ ...refused, smtpCode: '5.6.0' })
  expect(byName.get('grey')).toMatchObject({ state: 'accepted', tries: 3 })
  expect(byName.get('never')).toMatchObject({ state: 'rejected', code: 'mailTransient', tries: 4 })
  expect(await message.content(byName.get('dead')!.id)).toBeNull()
  const suppressed = await fairlead.db.$client<{ email: string; reason: string; evidence: string }[]>`
    select email, reason, evidence from suppressions where email like '%@answers.example' order by email`
  expect(suppressed.map(({ email, reason }) => [email, reason])).toEqual([
    [of('dead'), 'bounced'],
    [of('plain550'), 'bounced'],
  ])
  expect(suppressed[0]!.evidence).toContain(byName.get('dead')!.id)
  expect(suppressed[0]!.evidence).not.toContain('nobody')
})

test('a connection that drops before the mail is tried again; after the mail the policy decides', async () => {
  const drops = async (name: string, unknownFate: 'repeat' | 'leave') => {
    const listId = await listOf([{ email: `drop@${name}.example` }, ...crowd(name, 3)])
    mail.turns.set(`drop@${name}.example`, [{ at: 'data', do: 'drop' }])
    const message = await openMessage(fairlead, listId, { unknownFate })
    const run = await fairlead.finished(await message.send())
    const dropped = (await message.deliveries()).find(({ email }) => email === `drop@${name}.example`)!
    return { run, dropped, arrived: mail.received.filter(({ to }) => to === `drop@${name}.example`) }
  }
  const repeated = await drops('repeat', 'repeat')
  expect(repeated.dropped).toMatchObject({ state: 'accepted', isUnsure: true })
  expect(repeated.run.warnings).toMatchObject([{ code: 'maybeTwice', count: 1 }])
  expect(repeated.arrived).toHaveLength(2)
  const [first, second] = await Promise.all(repeated.arrived.map(({ raw }) => simpleParser(raw)))
  expect(first!.messageId).toBe(second!.messageId)
  expect(first!.html).toBe(second!.html)
  const left = await drops('leave', 'leave')
  expect(left.dropped).toMatchObject({ state: 'unknown', code: 'fateUnknown', isUnsure: true })
  expect(left.run).toMatchObject({ state: 'succeeded', counts: { send: { created: 3, rejected: 1 } } })
  expect(left.arrived).toHaveLength(1)
})

test('a mail that breaks the connection after its end each time is of unknown fate in the end, and not refused', async () => {
  const to = 'always@drops.example'
  const listId = await listOf([{ email: to }, ...crowd('drops', 2)])
  mail.always.set(to, { at: 'data', do: 'drop' })
  const message = await openMessage(fairlead, listId)
  const run = await fairlead.finished(await message.send())
  const dropped = (await message.deliveries()).find(({ email }) => email === to)!
  expect(dropped).toMatchObject({ state: 'unknown', code: 'fateUnknown', isUnsure: true, tries: 4 })
  expect(run).toMatchObject({ state: 'succeeded', counts: { send: { created: 2, rejected: 1 } } })
})

test('a scheduled message waits, is scheduled anew, and is free again when it is called off', async () => {
  const listId = await listOf(crowd('later', 2))
  const message = await openMessage(fairlead, listId)
  const runId = await message.send(new Date(Date.now() + 3_600_000))
  expect(await message.state()).toBe('scheduled')
  await requestCancel(fairlead.db, fairlead.accountId, runId)
  expect((await fairlead.finished(runId)).state).toBe('cancelled')
  expect(await message.state()).toBe('draft')
  const again = await message.send(new Date(Date.now() + 3_600_000))
  expect(await message.send()).toBe(again)
  expect(await fairlead.finished(again)).toMatchObject({ state: 'succeeded', counts: { send: { created: 2 } } })
})

test('R35: a scheduled message that was spoilt meanwhile is not sent: its run says so, and it is a draft again', async () => {
  const { db, accountId } = fairlead
  const message = await openMessage(fairlead, await listOf(crowd('spoilt', 2)))
  const spoil = async (html: string) => {
    const { version } = await messages.get(db, accountId, message.messageId)
    const runId = await message.send(new Date(Date.now() + 3_600_000))
    await messages.update(db, accountId, message.messageId, { version, html }, operator)
    expect(await message.send()).toBe(runId)
    return fairlead.finished(runId)
  }
  const failed = { state: 'failed', error: { code: 'messageNotReady' } }
  expect(await spoil('<p>No way out</p>')).toMatchObject(failed)
  expect(await spoil('<p>{{ nobody }}<a href="{{ unsubscribe_url }}">x</a></p>')).toMatchObject(failed)
  expect(await message.state()).toBe('draft')
  expect(await message.deliveries()).toEqual([])
})

test('what was not sent when it was cancelled is listed', async () => {
  const listId = await listOf(crowd('cancel', 60))
  mail.slow(150)
  const message = await openMessage(fairlead, listId)
  const runId = await message.send()
  await until('some have arrived', async () => mail.received.some(({ to }) => to.endsWith('@cancel.example')))
  await requestCancel(fairlead.db, fairlead.accountId, runId)
  const run = await fairlead.finished(runId)
  mail.slow(0)
  expect(run).toMatchObject({ state: 'cancelled', balance: { balanced: true } })
  const all = await message.deliveries()
  const accepted = all.filter(({ state }) => state === 'accepted').length
  expect(mail.received.filter(({ to }) => to.endsWith('@cancel.example'))).toHaveLength(accepted)
  expect(all.filter(({ code }) => code === 'messageCancelled')).toHaveLength(60 - accepted)
  expect(await message.state()).toBe('cancelled')
})

/** As if its run had failed when so many mails were left. */
const failedWith = async (name: string, left: number) => {
  const { db } = fairlead
  const message = await openMessage(fairlead, await listOf(crowd(name, 4)))
  const run = await fairlead.finished(await message.send())
  await db.$client`update runs set state = 'failed' where id = ${run.id}`
  await db.$client`update messages set state = 'sending', sent_at = null where id = ${message.messageId}`
  await db.$client`
    update deliveries set state = 'waiting', accepted_at = null where id in (
      select id from deliveries where message_id = ${message.messageId} limit ${left})`
  return { message, arrived: () => mail.received.filter(({ to }) => to.endsWith(`@${name}.example`)).length }
}

test('a run that failed after its last mail is followed by one that mails nobody again', async () => {
  const { message, arrived } = await failedWith('ended', 0)
  const run = await fairlead.finished(await message.send())
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true }, counts: { send: { read: 0 } } })
  expect(arrived()).toBe(4)
  expect(await message.deliveries()).toHaveLength(4)
  expect(await message.state()).toBe('sent')
})

test('a message whose run failed can be called off', async () => {
  const { message, arrived } = await failedWith('given-up', 3)
  const { db, accountId, wiring } = fairlead
  const runId = await db.transaction((tx) => activeOf(tx, accountId, message.messageId))
  await requestCancel(db, accountId, runId)
  await wiring.relay()
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'cancelled', balance: { balanced: true }, counts: { send: { skipped: 3 } } })
  expect(arrived()).toBe(4)
  expect(await message.state()).toBe('cancelled')
})

test('mails that were rejected, or of unknown fate, are tried again by code or by entry, as far as they may be sent', async () => {
  const { db, accountId, wiring } = fairlead
  const of = (name: string) => `${name}@retried.example`
  const names = ['full', 'full2', 'policy', 'lost', 'fine']
  const listId = await listOf([...names, 'FINE'].map((name) => ({ email: of(name), first: name })))
  for (const name of ['full', 'full2']) mail.always.set(of(name), { at: 'rcpt', answer: '452 4.2.2 full' })
  mail.turns.set(of('policy'), [{ at: 'rcpt', answer: '550 5.7.1 policy' }])
  mail.turns.set(of('lost'), [{ at: 'data', do: 'drop' }])
  const message = await openMessage(fairlead, listId, { unknownFate: 'leave' })
  const first = await fairlead.finished(await message.send())
  expect(first.counts!['send']).toMatchObject({ created: 1, skipped: 1, rejected: 4 })
  const { sentAt } = (await db.query.messages.findFirst({ where: (t, { eq }) => eq(t.id, message.messageId) }))!
  const again = async (asked: Retried) => {
    const { runId } = await db.transaction((tx) => retry(tx, accountId, first.id, asked))
    expect(await message.state()).toBe('sending')
    await wiring.relay()
    return fairlead.finished(runId)
  }
  mail.always.clear()
  const key = emailKeyOf(await hashKeyOf(db, wiring.secrets, accountId), of('full2'))
  await db.$client`
    insert into suppressions (account_id, email_key, email, reason, source) values (${accountId}, ${key}, ${of('full2')}, 'manual', 'admin')`
  const transient = await again({ code: 'mailTransient' })
  expect(transient).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  expect(transient.counts!['send']).toMatchObject({ read: 2, created: 1, skipped: 1 })
  const entries = await db.$client<{ id: string; code: string }[]>`
    select id::text, code from entries where last_run_id = ${first.id} and code in ('mailRefused', 'fateUnknown')`
  const single = await again({ entryIds: entries.map(({ id }) => id) })
  expect(single).toMatchObject({ counts: { send: { read: 2, created: 2 } }, warnings: [{ code: 'maybeTwice' }] })
  const arrived = (name: string) => mail.received.filter(({ to }) => to === of(name)).length
  expect(names.map(arrived)).toEqual([1, 0, 1, 2, 1])
  await expect(again({ code: 'mailTransient' })).rejects.toMatchObject({ code: 'nothingToRetry' })
  await expect(again({ code: 'duplicateAddress' })).rejects.toMatchObject({ code: 'nothingToRetry' })
  const after = await db.query.messages.findFirst({ where: (t, { eq }) => eq(t.id, message.messageId) })
  expect(after).toMatchObject({ state: 'sent', sentAt })
})
