const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const pairs = Array.from({ length: 1296 }, (_, n) => `${digits[Math.floor(n / 36)]}${digits[n % 36]}0`)

export type Ids = {
  /** 12 characters, ascending with n, also where case is ignored */
  at(n: number): string
  /** the index behind a generated id, -1 for any other text */
  of(id: string): number
  /** an id between row n and row n + 1 */
  between(n: number, roll: number): string
}

/** Generated ids end in 0, so that 35 ids are free behind each. */
export const makeIds = (prefix: string): Ids => {
  const upper = prefix.toUpperCase()
  const heads: string[] = []
  const head = (n: number): string =>
    (heads[n] ??=
      prefix +
      n
        .toString(36)
        .toUpperCase()
        .padStart(9 - prefix.length, '0'))
  const at = (n: number): string => head(Math.floor(n / 1296)) + pairs[n % 1296]
  return {
    at,
    of(id) {
      if (id.length !== 12 || !id.endsWith('0') || !id.toUpperCase().startsWith(upper)) return -1
      const n = Number.parseInt(id.slice(prefix.length, 11), 36)
      return Number.isNaN(n) || at(n).toUpperCase() !== id.toUpperCase() ? -1 : n
    },
    between: (n, roll) => at(n).slice(0, 11) + digits[1 + (roll % 35)],
  }
}

export const idSpaces = {
  leads: makeIds('QFLEAD'),
  leadAddresses: makeIds('lFADDR'),
  contacts: makeIds('CFCONT'),
  accounts: makeIds('AFACCT'),
  addresses: makeIds('aFADDR'),
  history: makeIds('eFHIST'),
  leadHistory: makeIds('hFLEAD'),
}
