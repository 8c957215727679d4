import { asc, eq } from 'drizzle-orm'
import { operator } from '../../src/db/audit.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import { consent, optOut } from '../../src/db/optOut.ts'
import { optOuts, suppressions } from '../../src/db/schema.ts'
import type { ConsentBy, SuppressionReason, SuppressionSource } from '../../src/domain/suppression.ts'
import { until, type Fairlead } from './fairlead.ts'

type OptOutRow = typeof optOuts.$inferSelect

/** Opt-outs of the test's account, as the API, the unsubscribe page and forms make them. */
export const openOptOuts = ({ db, accountId, wiring }: Fairlead) => {
  const keyOf = async (email: string) => emailKeyOf(await hashKeyOf(db, wiring.secrets, accountId), email)!
  const of = async (email: string): Promise<OptOutRow[]> =>
    db
      .select()
      .from(optOuts)
      .where(eq(optOuts.emailKey, await keyOf(email)))
      .orderBy(asc(optOuts.id))
  const say = async <T>(work: (tx: Parameters<Parameters<typeof db.transaction>[0]>[0]) => Promise<T>): Promise<T> => {
    const said = await db.transaction(work)
    await wiring.relay()
    return said
  }
  return {
    of,
    async suppressions(email: string) {
      return db
        .select()
        .from(suppressions)
        .where(eq(suppressions.emailKey, await keyOf(email)))
        .orderBy(asc(suppressions.id))
    },
    async out(email: string, reason: SuppressionReason = 'unsubscribed', source: SuppressionSource = 'person') {
      const emailKey = await keyOf(email)
      const row = { accountId, email, emailKey, reason, source, evidence: 'Said so.', actor: operator }
      return say((tx) => optOut(tx, row))
    },
    async consent(email: string, by: ConsentBy = 'person') {
      const emailKey = await keyOf(email)
      return say((tx) => consent(tx, { accountId, email, emailKey, evidence: 'Signed up.', actor: operator, by }))
    },
    /** the newest one of the address, when it has come to this state */
    reaches: (email: string, state: OptOutRow['state'], timeoutMs = 60_000): Promise<OptOutRow> =>
      until(
        `the opt-out is ${state}`,
        async () => {
          await wiring.relay()
          const last = (await of(email)).at(-1)
          return last?.state === state && last
        },
        timeoutMs,
      ),
  }
}
