const en = {
  required: '(required)',
  most: (characters: number) => `At most ${characters} characters.`,
  send: 'Send',
  choose: 'Please choose',
  language: 'Language',
  error: 'Error',
  check: 'Please check your answers',
  again: 'Please send the form once more',
  keepOut: 'Leave this field empty',
  thanks: 'Thank you',
  arrived: 'Your answers have arrived.',
  sendAgain: 'The form was not sent yet. Your answers are still here: please send it once more.',
  tooManyRequests: 'The form was sent very often from your network. Please wait a minute and send it once more.',
  notStored: 'Your answers could not be stored just now. They are still here: please send the form once more.',
  closedTitle: 'This form is closed',
  closed: 'It takes no more answers.',
  notFound: 'There is no such form',
  notFoundWhy: 'Please check the address.',
  failed: 'That did not work',
  tooMuch: 'More was sent than the form can take. Please go back and shorten your answers.',
  foreign: 'This form may not be sent from the page that you come from.',
  unreadable: 'What was sent could not be read. Please go back and send the form once more.',
  later: 'Please go back and try again in a moment.',
}
export type PageText = typeof en

const de: PageText = {
  required: '(Pflichtfeld)',
  most: (characters) => `Höchstens ${characters} Zeichen.`,
  send: 'Absenden',
  choose: 'Bitte auswählen',
  language: 'Sprache',
  error: 'Fehler',
  check: 'Bitte prüfen Sie Ihre Angaben',
  again: 'Bitte senden Sie das Formular noch einmal',
  keepOut: 'Dieses Feld bitte leer lassen',
  thanks: 'Vielen Dank',
  arrived: 'Ihre Angaben sind angekommen.',
  sendAgain: 'Das Formular wurde noch nicht gesendet. Ihre Angaben sind noch da: bitte senden Sie es noch einmal.',
  tooManyRequests:
    'Das Formular wurde aus Ihrem Netz sehr oft gesendet. Bitte warten Sie eine Minute und senden Sie es noch einmal.',
  notStored:
    'Ihre Angaben konnten gerade nicht gespeichert werden. Sie sind noch da: bitte senden Sie das Formular noch einmal.',
  closedTitle: 'Dieses Formular ist geschlossen',
  closed: 'Es nimmt keine Angaben mehr an.',
  notFound: 'Dieses Formular gibt es nicht',
  notFoundWhy: 'Bitte prüfen Sie die Adresse.',
  failed: 'Das hat nicht geklappt',
  tooMuch:
    'Es wurde mehr gesendet, als das Formular annehmen kann. Bitte gehen Sie zurück und kürzen Sie Ihre Angaben.',
  foreign: 'Dieses Formular darf von der Seite, von der Sie kommen, nicht gesendet werden.',
  unreadable:
    'Das Gesendete konnte nicht gelesen werden. Bitte gehen Sie zurück und senden Sie das Formular noch einmal.',
  later: 'Bitte gehen Sie zurück und versuchen Sie es gleich noch einmal.',
}

const texts: Record<string, PageText> = { en, de }

/** What the page itself says, in the language of the form or in English. */
export const pageText = (language: string): PageText => texts[language.split('-')[0]!] ?? en

/** The languages that a page without a form can speak. */
export const pageLanguages = Object.keys(texts)
