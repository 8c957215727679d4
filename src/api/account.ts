import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as accounts from '../db/account.ts'
import { actorOf } from './auth.ts'
import { Id, Instant, instant, Name, text } from './schemas.ts'
import type { Services } from './services.ts'

const isTimeZone = (name: string): boolean => {
  try {
    return /^[A-Za-z]/.test(name) && Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}

const TimeZone = text(64).refine(isTimeZone, 'is not an IANA time zone such as Europe/Berlin')
const AmbiguousMatch = z.enum(['best', 'all', 'hold']).meta({ description: 'several CRM people with one address' })
const UnmappedAddress = z.enum(['push', 'reject']).meta({ description: 'a record whose address has no system usage' })
const Conflict = z.enum(['crmWins', 'latestWins']).meta({ description: 'both sides changed a field' })

const PreviewMonths = z
  .number()
  .int()
  .min(1)
  .max(120)
  .meta({ description: 'how long the preview of a mail is kept; those of mails that were sent before keep theirs' })

const AlertEmails = z
  .array(z.email().max(254))
  .max(20)
  .refine((all) => new Set(all.map((each) => each.toLowerCase())).size === all.length, 'names an address twice')
  .meta({ description: 'administrators who are told of alerts by mail' })

const Account = z
  .object({
    id: Id,
    name: z.string(),
    timeZone: z.string(),
    connectorEnabled: z.boolean().meta({ description: 'set by the operator' }),
    ambiguousMatch: AmbiguousMatch,
    unmappedAddress: UnmappedAddress,
    conflict: Conflict,
    previewMonths: PreviewMonths,
    alertEmails: z.array(z.string()),
    mailConfigured: z.boolean().meta({ description: 'set by the operator: without a mail server no mail is sent' }),
    createdAt: Instant,
  })
  .meta({
    id: 'Account',
    examples: [
      {
        id: '019ab3c4-5000-7000-8000-112233445566',
        name: 'Example Company',
        timeZone: 'Europe/Berlin',
        connectorEnabled: true,
        ambiguousMatch: 'best',
        unmappedAddress: 'push',
        conflict: 'crmWins',
        previewMonths: 24,
        alertEmails: ['crm-admin@example.com'],
        mailConfigured: true,
        createdAt: '2026-11-23T09:00:00.000Z',
      },
    ],
  })
type Account = z.infer<typeof Account>

const AccountChanges = z
  .strictObject({
    name: Name,
    timeZone: TimeZone,
    ambiguousMatch: AmbiguousMatch,
    unmappedAddress: UnmappedAddress,
    conflict: Conflict,
    previewMonths: PreviewMonths,
    alertEmails: AlertEmails,
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'names nothing to change')
  .meta({ id: 'AccountChanges', examples: [{ timeZone: 'Europe/Berlin', conflict: 'latestWins' }] })

const accountJson = (
  { hashKey: _hashKey, createdAt, ...account }: accounts.Account,
  mailConfigured: boolean,
): Account => ({
  ...account,
  mailConfigured,
  createdAt: instant(createdAt),
})

const tags = ['Account']

export const accountRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, mailConfigured }) => {
  app.get(
    '/account',
    { config: { role: 'viewer' }, schema: { tags, summary: 'The account’s settings', response: { 200: Account } } },
    async ({ caller }) => accountJson(await accounts.get(db, caller.accountId), mailConfigured),
  )

  app.patch(
    '/account',
    {
      config: { role: 'admin' },
      schema: { tags, summary: 'Change settings', body: AccountChanges, response: { 200: Account } },
    },
    async ({ caller, id, body }) =>
      accountJson(await accounts.update(db, caller.accountId, body, actorOf({ caller, id })), mailConfigured),
  )
}
