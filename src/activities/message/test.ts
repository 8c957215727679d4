import * as messages from '../../db/message.ts'
import * as records from '../../db/record/read.ts'
import { withPlainLines } from '../../domain/delivery.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import type { Dependencies } from '../dependencies.ts'
import { createValues } from './values.ts'

type Input = { accountId: string; testId: string }

/** Its links lead to a page that says that this was a test. */
const testToken = 'test'

const valuesFor = async ({ db }: Dependencies, test: messages.MessageTest, message: messages.Message) => {
  const { accountId, recordId } = test
  const { audience } = message.definition
  const blanks = [...(await messages.placeholders(db, accountId, audience))].map((name) => [name, ''] as const)
  if (recordId === null) return Object.fromEntries(blanks)
  const listId = await records.listOf(db, accountId, recordId)
  const values = await createValues(db, accountId, audience)([{ listId, recordId }])
  return { ...Object.fromEntries(blanks), ...values.get(recordId) }
}

export const messageTestActivities = (deps: Dependencies) => ({
  /** Sends a test as the message itself would be sent. Addresses that are done are not mailed again. Errors: mailUnreachable, which is tried again. */
  async sendTest({ accountId, testId }: Input): Promise<{ state: 'sent' | 'failed' }> {
    const { db, mail } = deps
    const test = await messages.getTest(db, accountId, testId)
    if (test.state !== 'waiting') return { state: test.state }
    const finish = async (code: string | null) => {
      await messages.finishTest(db, accountId, testId, code)
      return { state: code === null ? ('sent' as const) : ('failed' as const) }
    }
    if (mail.server === null) return finish('mailNotConfigured')
    if (mail.publicUrl === null) return finish('publicUrlMissing')
    const unsubscribeUrl = mail.links.unsubscribe(mail.publicUrl, testToken)
    try {
      const message = await messages.version(db, accountId, test.messageId, test.version)
      const { from, replyTo } = message.definition
      const record = await valuesFor(deps, test, message)
      const previewUrl = mail.links.preview(mail.publicUrl, testToken)
      const content = withPlainLines(mail.compile(message.definition).render({ record, unsubscribeUrl, previewUrl }))
      for (const [index, to] of test.recipients.entries()) {
        const deliveryId = `${testId}.${test.accepted + test.rejected + index}`
        const said = await mail.server.send({ deliveryId, to, from, replyTo, content, unsubscribeUrl, isTest: true })
        if (said.fate === 'stopped') throw new FairleadError(said.trouble)
        await messages.settleOne(db, accountId, testId, { email: to, accepted: said.fate === 'accepted' })
      }
      return await finish(null)
    } catch (error) {
      if (isFairleadError(error) && error.code !== 'mailUnreachable') return finish(error.code)
      throw error
    }
  },

  /** A test that could not be sent. */
  async dropTest({ accountId, testId }: Input): Promise<{ state: 'failed' }> {
    await messages.finishTest(deps.db, accountId, testId, 'mailUnreachable')
    return { state: 'failed' }
  },
})
