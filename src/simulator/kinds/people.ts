import { dice, pick } from '../hash.ts'
import type { Value } from '../model.ts'
import { makeTimes, type Times } from './times.ts'
import * as words from './words.ts'

export type Person = {
  first: (n: number) => Value
  last: (n: number) => Value
  email: (n: number) => Value
  /** the address that row n has where nothing is awkward about it */
  plainEmail: (n: number) => string
  company: (n: number) => Value
  note: (n: number) => Value
  memo: (n: number) => Value
  phone: (line: string) => (n: number) => Value
  oneOf: (name: string, items: readonly Value[], share?: number) => (n: number) => Value
  times: Times
}

const lowerFirst = words.firstNames.map((name) => name.toLowerCase())
const lowerLast = words.lastNames.map((name) => name.toLowerCase())

/** Per thousand e-mails: 8 null, 4 blank, 6 a neighbour's, 4 in capitals, 4 with blanks around, 16 with awkward characters, 5 of the other entity. */
export const makePeople = (seed: number, name: string, others?: (n: number) => string): Person => {
  const roll = (what: string) => dice(seed, `${name}.${what}`)
  const [firstRoll, lastRoll, oddFirst, oddLast] = [roll('first'), roll('last'), roll('oddFirst'), roll('oddLast')]
  const [mailRoll, neighbour, domain] = [roll('mail'), roll('neighbour'), roll('domain')]
  const [headRoll, tailRoll, noteRoll] = [roll('head'), roll('tail'), roll('note')]

  const local = (n: number): string =>
    `${pick(lowerFirst, firstRoll(n))}.${pick(lowerLast, lastRoll(n))}${n.toString(36)}`
  const host = (n: number): string => pick(words.domains, domain(n))
  const plainEmail = (n: number): string => `${local(n)}@${host(n)}`

  const email = (n: number): Value => {
    const r = mailRoll(n) % 1000
    if (r >= 47) return plainEmail(n)
    if (r < 8) return null
    if (r < 12) return ''
    const twin = plainEmail(Math.max(0, n - 1 - (neighbour(n) % 50)))
    if (r < 18) return twin
    if (r < 22) return twin.toUpperCase()
    if (r < 26) return ` ${twin}  `
    if (r < 29) return `o'${local(n)}@${host(n)}`
    if (r < 32) return `${local(n)}+news@${host(n)}`
    if (r < 34) return `${local(n)}%100@${host(n)}`
    if (r < 36) return `r&d.${local(n)}@${host(n)}`
    if (r < 38) return `${local(n)}#1@${host(n)}`
    if (r < 40) return `${local(n)}@bücher.example`
    if (r < 42) return `jürgen.${local(n)}@${host(n)}`
    return others === undefined ? plainEmail(n) : others(n)
  }

  const note = (n: number): Value => {
    const r = noteRoll(n) % 1000
    if (r < 2) return `Read from tape\u0000end ${n}`
    if (r < 4) return `Cut in half \ud83d ${n}`
    if (r < 7) return `Likes 🚀 and 👩‍👩‍👧 (${n})`
    if (r < 10) return `הערה מספר ${n} — ملاحظة`
    if (r < 12) return `Line one\r\nLine two\tindented\n${'Long story. '.repeat(1500)}${n}`
    return r < 300 ? `Met at the fair, asked for offer ${n}` : null
  }

  return {
    plainEmail,
    email,
    note,
    memo: (n) => (noteRoll(n) % 500 === 250 ? `${'All that was ever said. '.repeat(1500)}${n}` : null),
    first(n) {
      const r = oddFirst(n) % 1000
      if (r >= 34) return pick(words.firstNames, firstRoll(n))
      if (r < 15) return pick(words.foreignFirst, firstRoll(n))
      if (r < 20) return `  ${pick(words.firstNames, firstRoll(n))} `
      if (r < 24) return `${pick(words.firstNames, firstRoll(n))} 😀`
      return r < 32 ? null : ''
    },
    last(n) {
      const r = oddLast(n) % 1000
      if (r >= 32) return pick(words.lastNames, lastRoll(n))
      if (r < 15) return pick(words.foreignLast, lastRoll(n))
      if (r < 20) return ` ${pick(words.lastNames, lastRoll(n))} `
      return pick(words.hardLast, lastRoll(n))
    },
    company(n) {
      const [head, tail] = [headRoll(n), tailRoll(n)]
      if (tail % 100 === 50) return pick(words.hardCompanies, head)
      return `${pick(words.companyHeads, head)} ${pick(words.companyTails, tail)}${pick(words.companyForms, head >>> 16)}`
    },
    phone(line) {
      const number = roll(`phone.${line}`)
      return (n) => {
        const r = number(n)
        if (r % 10 < 3) return null
        const country = pick(words.countries, r % 5 === 0 ? r >>> 8 : 0)
        return `${country.dial}-${String(r % 10_000_000).padStart(7, '0')}${r % 97 === 0 ? ' x12' : ''}`
      }
    },
    oneOf(what, items, share = 1000) {
      const which = roll(what)
      return (n) => {
        const r = which(n)
        return r % 1000 < share ? pick(items, r >>> 10) : null
      }
    },
    times: makeTimes(seed, name),
  }
}
