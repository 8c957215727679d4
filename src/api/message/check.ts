import type { z } from 'zod'
import type { Database } from '../../db/database.ts'
import { countAudience } from '../../db/delivery/audienceCount.ts'
import * as messages from '../../db/message.ts'
import type { Transaction } from '../../db/outbox.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import { checkMessage, linkPlaceholders, type MessageCounts, type MessageProblem } from '../../domain/message.ts'
import type { Services } from '../services.ts'
import type { MessageCheck } from './json.ts'

type Found = { counts: MessageCounts | null; problems: MessageProblem[] }

const noAudience: MessageCounts = { records: 0, toSend: 0, skipped: {} }
const ofAudience: ReadonlySet<string> = new Set(['audienceGone', 'segmentBroken', 'queryTimeout'])

/** What is wrong with the audience itself is a problem among the others. */
const countAll = async ({ db, secrets }: Services, { accountId, definition }: messages.Message): Promise<Found> => {
  const { audience } = definition
  if (audience.lists.length + audience.segments.length === 0) return { counts: noAudience, problems: [] }
  try {
    return { counts: await countAudience(db, secrets, accountId, audience), problems: [] }
  } catch (error) {
    if (!isFairleadError(error) || !ofAudience.has(error.code)) throw error
    const { code, message, remedy } = error
    return { counts: null, problems: [{ code, message, remedy, path: 'audience' }] }
  }
}

const examine = async (
  { compileMessage, mailConfigured, publicUrl }: Services,
  db: Database | Transaction,
  { accountId, definition }: messages.Message,
  { counts, problems }: Found,
) => {
  const known = await messages.placeholders(db, accountId, definition.audience)
  const placeholders = compileMessage(definition).placeholders()
  const found = checkMessage({ definition, placeholders, known, counts, mailConfigured, publicUrl })
  return { known, problems: [...found, ...problems] }
}

/** Everything that a person wants to know before a message is sent (G1). Errors: templateInvalid. */
export const checkAll = async (
  services: Services,
  message: messages.Message,
): Promise<z.infer<typeof MessageCheck>> => {
  const counted = await countAll(services, message)
  const { known, problems } = await examine(services, services.db, message, counted)
  return {
    ready: problems.length === 0,
    problems,
    audience: counted.counts,
    placeholders: [...known, ...linkPlaceholders].sort(),
  }
}

/** Errors: messageNotReady with all problems. */
const refuse = (problems: readonly MessageProblem[]): void => {
  const [first] = problems
  if (first === undefined) return
  throw new FairleadError('messageNotReady', {
    detail: first.message,
    remedy: first.remedy,
    errors: problems.map(({ path, message: said, code }) => ({ path, message: said, code })),
  })
}

/**
 * The same without counting, in the transaction that sends it: a connection of its own would be waited for by those who wait for this one's locks.
 * Errors: messageNotReady with all problems, notFound.
 */
export const refuseUnready = async (
  services: Services,
  tx: Transaction,
  accountId: string,
  messageId: string,
): Promise<void> => {
  const message = await messages.get(tx, accountId, messageId)
  const { problems } = await examine(services, tx, message, { counts: null, problems: [] })
  refuse(problems)
}

/**
 * A message that is sent at once goes to somebody. Of one that has its time nobody knows yet who that will be; one that has begun has its audience. An audience
 * that takes long to be counted is not empty. Errors: messageNotReady with all problems, notFound.
 */
export const refuseEmpty = async (services: Services, accountId: string, messageId: string): Promise<void> => {
  const message = await messages.get(services.db, accountId, messageId)
  const { sender } = message.definition
  if (sender === 'other' || (message.state !== 'draft' && message.state !== 'scheduled')) return
  const counted = await countAll(services, message)
  const problems = counted.problems.filter(({ code }) => code !== 'queryTimeout')
  refuse((await examine(services, services.db, message, { ...counted, problems })).problems)
}
