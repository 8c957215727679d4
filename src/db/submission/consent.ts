import { addressFieldOf, answerTo, type Answers } from '../../domain/form.ts'
import * as audits from '../audit.ts'
import type { Form } from '../form/read.ts'
import { consent } from '../optOut.ts'
import type { Transaction } from '../outbox.ts'

type Of = Pick<Form, 'accountId' | 'id' | 'definition'>

/** The field by which whoever filled in the form allows e-mail anew (R34); undefined where they did not. */
const agreedBy = ({ definition }: Of, answers: Answers) =>
  definition.fields.find(
    ({ type, forEmail, name }) => type === 'consent' && forEmail === true && answerTo(answers, name) === true,
  )

/** In the transaction that stores a submission: a new consent of the person ends their own opt-out. */
export const takeConsent = async (
  tx: Transaction,
  form: Of,
  { answers, emailKey, submissionId }: { answers: Answers; emailKey: Buffer | null; submissionId: string },
): Promise<void> => {
  const field = agreedBy(form, answers)
  const email = answerTo(answers, addressFieldOf(form.definition)?.name ?? '')
  if (field === undefined || emailKey === null || typeof email !== 'string') return
  const evidence = `Ticked "${field.name}" of form ${form.id}, submission ${submissionId}.`
  await consent(tx, { accountId: form.accountId, email, emailKey, evidence, by: 'person', actor: audits.operator })
}
