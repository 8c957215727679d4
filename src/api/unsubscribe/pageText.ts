const en = {
  title: 'Unsubscribe',
  ask: (sender: string, address: string) => `Shall no more e-mails of ${sender} come to ${address}?`,
  button: 'Unsubscribe',
  done: 'You are unsubscribed',
  doneWhy: (sender: string, address: string) => `No more e-mails of ${sender} will come to ${address}.`,
  mistake: 'Was that a mistake?',
  again: 'Subscribe again',
  back: 'You are subscribed again',
  backWhy: (sender: string, address: string) => `E-mails of ${sender} may come to ${address} as before.`,
  yourAddress: 'your address',
  test: 'This was a test mail',
  testWhy: 'In a real mail this link leads to a page for unsubscribing. Nobody was unsubscribed.',
  unknown: 'This link is not known here',
  unknownWhy:
    'Nobody was unsubscribed. Please check that the whole address was copied, or answer the e-mail and ask its sender to take you off.',
  unclear: 'Nothing was changed yet. Please press the button.',
}
type UnsubscribeText = typeof en

const de: UnsubscribeText = {
  title: 'Abmelden',
  ask: (sender, address) => `Sollen keine E-Mails von ${sender} mehr an ${address} gehen?`,
  button: 'Abmelden',
  done: 'Sie sind abgemeldet',
  doneWhy: (sender, address) => `An ${address} gehen keine E-Mails von ${sender} mehr.`,
  mistake: 'War das ein Versehen?',
  again: 'Wieder anmelden',
  back: 'Sie sind wieder angemeldet',
  backWhy: (sender, address) => `E-Mails von ${sender} können wie bisher an ${address} gehen.`,
  yourAddress: 'Ihre Adresse',
  test: 'Das war eine Testmail',
  testWhy: 'In einer echten E-Mail führt dieser Link zu einer Seite zum Abmelden. Niemand wurde abgemeldet.',
  unknown: 'Dieser Link ist hier nicht bekannt',
  unknownWhy:
    'Niemand wurde abgemeldet. Bitte prüfen Sie, ob die ganze Adresse kopiert wurde, oder antworten Sie auf die E-Mail und bitten Sie den Absender darum.',
  unclear: 'Es wurde noch nichts geändert. Bitte drücken Sie den Knopf.',
}

const texts: Record<string, UnsubscribeText> = { en, de }
export const unsubscribeText = (language: string): UnsubscribeText => texts[language] ?? en
