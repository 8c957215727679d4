import type { AlertKind, AlertShown } from '../domain/alert.ts'

const titles: Record<AlertKind, string> = {
  connectionBroken: 'The CRM connection is broken',
  runIncomplete: 'A run is incomplete',
  runFailed: 'A run failed',
  scheduleMissed: 'A schedule was missed',
  scheduleRepaired: 'A schedule was repaired',
  quarantineGrown: 'More records are parked',
  optOutsUnwritten: 'Opt-outs are not in the CRM',
}
const overTitles: Record<AlertKind, string> = {
  connectionBroken: 'The CRM connection works again',
  runIncomplete: 'Runs are complete again',
  runFailed: 'Runs succeed again',
  scheduleMissed: 'The schedule fires again',
  scheduleRepaired: 'The schedule is as it should be',
  quarantineGrown: 'No records are parked any more',
  optOutsUnwritten: 'All opt-outs are in the CRM',
}

const titleOf = ({ kind, state, details }: AlertShown): string => {
  if (state === 'open') return titles[kind]
  return details['gone'] === true ? 'A problem is over' : overTitles[kind]
}
const whyGone = 'Nobody has mended it: what had the problem was removed, or the connector was reset.'

/** The mail about an alert, as plain text. `publicUrl`: where the API is for people, for a link to the run. */
export const alertMail = (alert: AlertShown, publicUrl?: string): { subject: string; text: string } => {
  const { state, subject: about, message, remedy, details, openedAt, resolvedAt } = alert
  const title = titleOf(alert)
  const runId = details['runId']
  const url =
    publicUrl !== undefined && typeof runId === 'string' ? `${publicUrl.replace(/\/+$/, '')}/v1/runs/${runId}` : null
  const lines = [
    state === 'open' ? message : `${title}.`,
    ...(state === 'open' ? ['', `What to do: ${remedy}`] : []),
    ...(details['gone'] === true ? ['', whyGone, `It was: ${message}`] : []),
    '',
    ...(about.name === null ? [] : [`Name: ${about.name}`]),
    ...(typeof runId === 'string' ? [`Run: ${url ?? runId}`] : []),
    `Since: ${openedAt}`,
    ...(resolvedAt === null ? [] : [`Until: ${resolvedAt}`]),
    `Alert: ${alert.id}`,
  ]
  return {
    subject: `[Fairlead] ${title}${about.name === null ? '' : `: ${about.name}`}`,
    text: `${lines.join('\n')}\n`,
  }
}
