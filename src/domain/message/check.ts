import type { SkipReason } from '../delivery.ts'
import { errorTable, type ErrorCode } from '../errors.ts'
import type { MessageDefinition } from './definition.ts'
import { linkPlaceholders, unsubscribePlaceholder, type Placeholder } from './placeholder.ts'

/** Records of an audience: how many there are, how many are mailed, and how many are left out for each reason. */
export type MessageCounts = { records: number; toSend: number; skipped: Partial<Record<SkipReason, number>> }

/** What keeps a message from being sent; `path` is the place in the message, '' where it is somewhere else. */
export type MessageProblem = { code: ErrorCode; message: string; remedy: string; path: string }

type Checked = {
  definition: MessageDefinition
  /** what the templates ask for */
  placeholders: readonly Placeholder[]
  /** what lists of the audience have */
  known: ReadonlySet<string>
  counts: MessageCounts | null
  mailConfigured: boolean
  publicUrl: string | null
}

const problem = (code: ErrorCode, path: string, more: Partial<MessageProblem> = {}): MessageProblem => ({
  code,
  message: errorTable[code].title,
  remedy: errorTable[code].remedy,
  path,
  ...more,
})

const mostShown = 30

/** Each name once in each template, at the first place where it stands. */
export const unknownPlaceholders = (
  placeholders: readonly Placeholder[],
  known: ReadonlySet<string>,
): MessageProblem[] => {
  const shown = [...known].sort().slice(0, mostShown).join(', ')
  const found = new Map<string, MessageProblem>()
  for (const { name, part, line, column } of placeholders) {
    if (known.has(name) || linkPlaceholders.includes(name) || found.has(`${part} ${name}`)) continue
    const message = `Line ${line}, column ${column}: no list of the audience has “${name}”.`
    const remedy = shown === '' ? 'Choose the lists of the audience first.' : `These are known: ${shown}.`
    found.set(`${part} ${name}`, problem('unknownPlaceholder', part, { message, remedy }))
  }
  return [...found.values()]
}

const hasUnsubscribe = (placeholders: readonly Placeholder[]): boolean =>
  placeholders.some(({ name, part }) => name === unsubscribePlaceholder && part === 'html')

/** Everything that keeps a message from being sent (G1), in the order in which a person would mend it. `counts`: null where they could not be had. */
export const checkMessage = ({
  definition: { subject, html, audience, sender },
  placeholders,
  known,
  counts,
  mailConfigured,
  publicUrl,
}: Checked): MessageProblem[] => {
  const isOurs = sender === 'smtp'
  const hasAudience = audience.lists.length + audience.segments.length > 0
  return [
    ...(subject === '' ? [problem('subjectMissing', 'subject')] : []),
    ...(isOurs && html.trim() === '' ? [problem('htmlMissing', 'html')] : []),
    ...(isOurs && html.trim() !== '' && !hasUnsubscribe(placeholders) ? [problem('unsubscribeMissing', 'html')] : []),
    ...unknownPlaceholders(placeholders, known),
    ...(!hasAudience || counts?.toSend === 0 ? [problem('audienceEmpty', 'audience')] : []),
    ...(isOurs && !mailConfigured ? [problem('mailNotConfigured', '')] : []),
    ...(publicUrl === null ? [problem('publicUrlMissing', '')] : []),
  ]
}
