import type { Subscriber } from '../../db/delivery/unsubscribe.ts'
import { attributes, markup, type Html } from '../form/pageHtml.ts'
import { pageDocument, shownLine } from '../preview/pageDocument.ts'
import { unsubscribeText } from './pageText.ts'

/** What the buttons of the page send. */
export const actionName = 'action'
type Action = 'unsubscribe' | 'again'

/** Whoever forwards a mail need not show the address to everybody: `p•••@example.com`. */
const hidden = (email: string): string => {
  const line = shownLine(email)
  const at = line.lastIndexOf('@')
  return at < 1 ? '•••' : `${/^./u.exec(line)![0]}•••${line.slice(at)}`
}

const senderOf = ({ name, email }: Subscriber['from']): string =>
  shownLine(name) === '' ? shownLine(email) : `${shownLine(name)} (${shownLine(email)})`

const button = (action: Action, label: string, kind?: string): Html =>
  markup`<form method="post"><input${attributes({ type: 'hidden', name: actionName, value: action })}>
<button${attributes({ type: 'submit', class: kind })}>${label}</button></form>`

type Shown = { subscriber: Subscriber; language: string }

/** `asked`: nothing was said yet. `unclear`: something was sent that says nothing. */
export type Said = 'asked' | 'unclear' | 'done' | 'back'

export const unsubscribePage = ({ subscriber, language }: Shown, said: Said): string => {
  const text = unsubscribeText(language)
  const sender = senderOf(subscriber.from)
  const address = subscriber.email === null ? text.yourAddress : hidden(subscriber.email)
  if (said === 'done') {
    const way = markup`<p>${text.mistake}</p>
${button('again', text.again, 'second')}`
    // nobody can be asked again whose address is gone
    const content = markup`<h1>${text.done}</h1>
<p>${text.doneWhy(sender, address)}</p>
${subscriber.email !== null && way}`
    return pageDocument(language, text.done, content)
  }
  const isBack = said === 'back'
  const title = isBack ? text.back : text.title
  const content = markup`<h1>${title}</h1>
${said === 'unclear' && markup`<p role="alert">${text.unclear}</p>`}
<p>${isBack ? text.backWhy(sender, address) : text.ask(sender, address)}</p>
${button('unsubscribe', text.button, isBack ? 'second' : undefined)}`
  return pageDocument(language, title, content)
}
