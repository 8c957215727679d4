import { causeOf, type Cause } from './cause.ts'
import { skippedCause } from './schedule/skipped.ts'
import { errorTable, passesBy } from './errors.ts'

/**
 * What administrators and programs are told of. Each is a problem that lasts until it is resolved; `scheduleMissed` and `scheduleRepaired` are
 * things that happened once.
 */
export const alertKinds = [
  'connectionBroken',
  'runIncomplete',
  'runFailed',
  'scheduleMissed',
  'scheduleRepaired',
  'quarantineGrown',
  'optOutsUnwritten',
] as const
export type AlertKind = (typeof alertKinds)[number]

/** Ids, codes and numbers: never a person, a name of a CRM field's content, or a secret (R37). */
export type AlertDetails = Record<string, string | number | boolean | null>

/** Told when they happen; nobody is told that they are over, and they are not repeated. */
export const happensOnce = (kind: AlertKind): boolean => kind === 'scheduleMissed' || kind === 'scheduleRepaired'

export type SubjectType = 'connection' | 'list' | 'segment' | 'schedule' | 'message'

/** The alert as people and programs see it; instants in ISO 8601. */
export type AlertShown = {
  id: string
  kind: AlertKind
  state: 'open' | 'resolved'
  /** `name` of the list, the segment, or that of the schedule; null for a connection and for what is gone */
  subject: { type: SubjectType; id: string; name: string | null }
  message: string
  remedy: string
  details: AlertDetails
  openedAt: string
  resolvedAt: string | null
}

export type DeliveryChannel = 'webhook' | 'mail'
export type DeliveryState = 'pending' | 'delivered' | 'failed'
export type DeliveryEvent = AlertKind | 'test'

/** Why an attempt came to nothing. The receiver's own words are not kept. */
export type AttemptError =
  | 'answer'
  | 'timeout'
  | 'unreachable'
  | 'certificate'
  | 'hostNotAllowed'
  | 'redirect'
  | 'mailRefused'
  | 'mailNotConfigured'
  | 'internal'
export type Attempt = { at: string; status: number | null; ms: number; error: AttemptError | null }
/** What an attempt came to; `final`: another one is of no use */
export type Sent = { status: number | null; error: AttemptError | null; final?: boolean }

export type SendWebhook = (call: { url: string; id: string; body: string; secrets: string[] }) => Promise<Sent>
export type SendMail = (mail: { to: string[]; id: string; alert: AlertShown }) => Promise<Sent>

/** Seconds before the next attempt, after the first, the second … one: about a day in all. */
export const retrySeconds = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800]

/** So many attempts of a delivery are shown. */
export const attemptsKept = 50

const sentences: Record<AlertKind, (cause: Cause, details: AlertDetails) => Cause> = {
  connectionBroken: ({ message, remedy }, { code }) =>
    typeof code === 'string' && passesBy(code)
      ? {
          message: `The CRM failed two health checks in a row: work waits, and goes on by itself when it is back. ${errorTable[code].title}`,
          remedy: errorTable[code].remedy,
        }
      : {
          message: `The connection to the CRM needs a person: all work waits. ${message}`,
          remedy: `${remedy} To reconfirm: POST /v1/connection/reconfirm.`,
        },
  runIncomplete: ({ message, remedy }) => ({
    message: `A run came to its end but left something undone. ${message}`,
    remedy,
  }),
  runFailed: ({ message, remedy }) => ({ message: `A run failed. ${message}`, remedy }),
  scheduleMissed: (_cause, { outcome, code }) =>
    outcome === 'skipped' && typeof code === 'string'
      ? {
          message: `A schedule did not fire when it was due, and no run was started late. ${skippedCause(code).message}`,
          remedy: skippedCause(code).remedy,
        }
      : {
          message: 'A schedule did not fire when it was due.',
          remedy: `The run ${outcome === 'queued' ? 'begins when the one under way has ended' : 'was started late'}; look at the schedule and at its last runs.`,
        },
  scheduleRepaired: () => ({
    message: 'A schedule was changed in the workflow engine by hand and was set right again.',
    remedy: 'Change schedules here only; nothing else needs to be done.',
  }),
  quarantineGrown: (_cause, { parked }) => ({
    message: `${parked} ${parked === 1 ? 'record is' : 'records are'} parked because the CRM rejected ${parked === 1 ? 'it' : 'them'} again and again.`,
    remedy: 'Look at the causes: GET /v1/quarantine. When one is mended, its records are pushed by themselves.',
  }),
  optOutsUnwritten: (_cause, { refused, late }) => ({
    message: `The CRM has refused ${refused} opt-outs and consents, and ${late} have waited for more than a day: people are not marked there as they have said. From here nobody is mailed who has opted out.`,
    remedy:
      'Look at `crm` of the suppressions: GET /v1/suppressions names the cause of each. Mend it in Infor CRM, then POST /v1/suppressions/{suppressionId}/retry; what waits goes on by itself when the connection works.',
  }),
}

/** What a run says of itself, in words that hold after its end. */
const runCauses: Record<string, Cause> = {
  notBalanced: {
    message: 'The list and the CRM do not agree.',
    remedy: 'Start a sweep of the list: it finds what differs, id by id.',
  },
  crmFailed: {
    message: 'Some records could not be read from the CRM, or written to it.',
    remedy: 'Open them in Infor CRM and mend them (the run’s entries name them); the next run tries them again.',
  },
}

/** Whether there is more to tell than the last time: of the quarantine only that it has grown, of all else that it lasts. */
export const saysMore = (kind: AlertKind, details: AlertDetails, told: AlertDetails | null): boolean =>
  kind !== 'quarantineGrown' || Number(details['parked'] ?? 0) > Number(told?.['parked'] ?? 0)

/** Milliseconds until the next attempt after so many; null: there is none. */
export const waitAfter = (tries: number, seconds: readonly number[]): number | null => {
  const wait = seconds[tries - 1]
  return wait === undefined ? null : wait * 1000
}

/** One sentence or two about what is wrong, and what to do (R25). `details.code` names the cause. */
export const alertCause = (kind: AlertKind, details: AlertDetails): Cause => {
  const code = details['code']
  const cause =
    typeof code === 'string'
      ? (runCauses[code] ?? causeOf(code))
      : { message: 'Its ledger says more.', remedy: 'Look at the run: GET /v1/runs/{runId}.' }
  return sentences[kind](cause, details)
}
