import type { PreviewFault } from '../../db/delivery/preview.ts'

/** Heading and sentence. */
type Notice = [title: string, sentence: string]

const en = {
  from: 'From',
  to: 'To',
  sent: 'Sent',
  noSubject: '(no subject)',
  mail: 'The e-mail',
  views: 'How it is shown',
  withLayout: 'With layout',
  asText: 'Text only',
  showImages: 'Show images',
  hideImages: 'Hide images',
  imagesTell: 'Images are fetched from the sender’s servers, which see that somebody looks.',
  linksRest:
    'This is the e-mail as it was sent. Its links and forms do nothing here. Where a click has blanked it, open it anew:',
  openAnew: 'Show the e-mail again',
  failed: ['That did not work', 'Please try again in a moment.'] as Notice,
  tooManyRequests: ['Please wait a minute', 'This was asked for very often from your network.'] as Notice,
  test: [
    'This was a test mail',
    'It was sent to try the message out. Each real mail has a preview of its own.',
  ] as Notice,
  faults: {
    unknown: ['There is no such preview', 'Please check the address: every character counts.'],
    erased: ['This e-mail was erased', 'The data of the person who received it were erased, and the e-mail with them.'],
    revoked: ['This preview was revoked', 'Whoever sent the e-mail does not want it to be shown here any more.'],
    expired: ['This preview has expired', 'E-mails are kept here for a limited time, and this one is older.'],
    unsent: [
      'This e-mail is still on its way',
      'It is shown here once it was sent. Please try again in a few minutes.',
    ],
    missing: ['Nothing is kept of this e-mail', 'What was sent is not stored here, so it cannot be shown.'],
    damaged: [
      'This e-mail cannot be shown',
      'What is stored here is not what was sent: it has been damaged or changed. It is not shown, so that nobody takes it for the e-mail.',
    ],
  } as Record<PreviewFault, Notice>,
}
export type PreviewText = typeof en

const de: PreviewText = {
  from: 'Von',
  to: 'An',
  sent: 'Gesendet',
  noSubject: '(kein Betreff)',
  mail: 'Die E-Mail',
  views: 'Darstellung',
  withLayout: 'Mit Gestaltung',
  asText: 'Nur Text',
  showImages: 'Bilder anzeigen',
  hideImages: 'Bilder ausblenden',
  imagesTell: 'Bilder kommen von den Servern des Absenders; diese sehen, dass jemand hinschaut.',
  linksRest:
    'Das ist die E-Mail, wie sie gesendet wurde. Links und Formulare darin tun hier nichts. Wenn ein Klick sie geleert hat:',
  openAnew: 'E-Mail wieder anzeigen',
  failed: ['Das hat nicht geklappt', 'Bitte versuchen Sie es gleich noch einmal.'],
  tooManyRequests: ['Bitte warten Sie eine Minute', 'Aus Ihrem Netz kamen sehr viele Anfragen.'],
  test: [
    'Das war eine Testmail',
    'Sie wurde gesendet, um die Nachricht auszuprobieren. Jede echte E-Mail hat ihre eigene Vorschau.',
  ],
  faults: {
    unknown: ['Diese Vorschau gibt es nicht', 'Bitte prüfen Sie die Adresse: jedes Zeichen zählt.'],
    erased: [
      'Diese E-Mail wurde gelöscht',
      'Die Daten der Person, die sie erhalten hat, wurden gelöscht, und die E-Mail mit ihnen.',
    ],
    revoked: ['Diese Vorschau wurde zurückgezogen', 'Der Absender möchte die E-Mail hier nicht mehr zeigen.'],
    expired: [
      'Diese Vorschau ist abgelaufen',
      'E-Mails werden hier für begrenzte Zeit aufbewahrt, und diese ist älter.',
    ],
    unsent: [
      'Diese E-Mail ist noch unterwegs',
      'Sie ist hier zu sehen, sobald sie gesendet wurde. Bitte versuchen Sie es in einigen Minuten noch einmal.',
    ],
    missing: [
      'Von dieser E-Mail ist nichts aufbewahrt',
      'Was gesendet wurde, ist hier nicht gespeichert und kann nicht gezeigt werden.',
    ],
    damaged: [
      'Diese E-Mail kann nicht gezeigt werden',
      'Was hier gespeichert ist, ist nicht, was gesendet wurde: es wurde beschädigt oder verändert. Es wird nicht gezeigt, damit niemand es für die E-Mail hält.',
    ],
  },
}

const texts: Record<string, PreviewText> = { en, de }
export const previewText = (language: string): PreviewText => texts[language] ?? en
