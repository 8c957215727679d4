import type { FormDefinition, Localised } from './definition.ts'

/** Languages that answers to a submission are worded in. */
export const formLanguages = ['en', 'de'] as const

export const answerCodes = [
  'required',
  'consentMissing',
  'notText',
  'tooLong',
  'notEmail',
  'notNumber',
  'notDate',
  'tooSmall',
  'tooLarge',
  'notChoice',
  'notYesNo',
  'unknownField',
  'tooMuch',
  'emptySubmission',
] as const
export type AnswerCode = (typeof answerCodes)[number]

type Sentences = Record<AnswerCode, (limit: string) => string>

const en: Sentences = {
  required: () => 'Please fill in this field.',
  consentMissing: () => 'Please agree to this.',
  notText: () => 'This is no text that can be taken.',
  tooLong: (most) => `Please enter at most ${most} characters.`,
  notEmail: () => 'Please enter an e-mail address such as pat@example.com.',
  notNumber: () => 'Please enter a number.',
  notDate: () => 'Please enter a day such as 2026-11-23.',
  tooSmall: (least) => `Please enter ${least} or more.`,
  tooLarge: (most) => `Please enter ${most} or less.`,
  notChoice: () => 'Please choose one of the given answers.',
  notYesNo: () => 'Please answer yes or no.',
  unknownField: () => 'The form has no such field.',
  tooMuch: () => 'This is more than the form takes.',
  emptySubmission: () => 'Please fill in the form.',
}

const de: Sentences = {
  required: () => 'Bitte füllen Sie dieses Feld aus.',
  consentMissing: () => 'Bitte stimmen Sie zu.',
  notText: () => 'Dieser Text kann nicht angenommen werden.',
  tooLong: (most) => `Bitte geben Sie höchstens ${most} Zeichen ein.`,
  notEmail: () => 'Bitte geben Sie eine E-Mail-Adresse ein, zum Beispiel pat@example.com.',
  notNumber: () => 'Bitte geben Sie eine Zahl ein.',
  notDate: () => 'Bitte geben Sie einen Tag ein, zum Beispiel 2026-11-23.',
  tooSmall: (least) => `Bitte geben Sie ${least} oder mehr ein.`,
  tooLarge: (most) => `Bitte geben Sie ${most} oder weniger ein.`,
  notChoice: () => 'Bitte wählen Sie eine der Antworten aus.',
  notYesNo: () => 'Bitte antworten Sie mit ja oder nein.',
  unknownField: () => 'Dieses Feld hat das Formular nicht.',
  tooMuch: () => 'Das ist mehr, als das Formular annimmt.',
  emptySubmission: () => 'Bitte füllen Sie das Formular aus.',
}

const sentences: Record<string, Sentences> = { en, de }

/** What is wrong with an answer, in the language of whoever gave it. */
export const answerSentence = (code: AnswerCode, language: string, limit: string | number = ''): string =>
  (sentences[language] ?? en)[code](String(limit))

/** The form's language that was asked for, `de-AT` by its first part; else its default one. */
export const languageOf = ({ languages }: Pick<FormDefinition, 'languages'>, asked?: string | null): string => {
  const wanted = (asked ?? '').toLowerCase()
  return languages.find((each) => each === wanted || each === wanted.split('-')[0]) ?? languages[0] ?? 'en'
}

/** A text in a language, else in the first one that it has; '' for none. */
export const localised = (text: Localised, language: string): string => text[language] ?? Object.values(text)[0] ?? ''
