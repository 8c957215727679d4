import { parseArgs } from 'node:util'

export type Options = { once: boolean; demo: boolean }

export const help = `npm start                 everything on this machine, with a simulated CRM and its people imported
npm start -- --once       the same, then stops; exit code 0 when every ledger balanced, else 1
npm start -- --no-demo    without simulator and demo account
Ports and other settings are environment variables; .env.example lists them.`

/** Undefined asks for the help. */
export const readOptions = (args: string[]): Options | undefined => {
  const known = {
    once: { type: 'boolean' },
    'no-demo': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const
  const { tokens } = parseArgs({ args, options: known, strict: false, tokens: true })
  const wrong = tokens.find((token) => !(token.kind === 'option' && token.name in known && token.value === undefined))
  if (wrong)
    throw new Error(`"${args[wrong.index]}" is not an option of npm start. It knows --once, --no-demo and --help.`)
  const names = new Set(tokens.map((token) => (token.kind === 'option' ? token.name : '')))
  return names.has('help') ? undefined : { once: names.has('once'), demo: !names.has('no-demo') }
}
