import { writeFileSync } from 'node:fs'
import { benchForms } from './form.ts'
import { benchImport } from './import.ts'
import { describeMachine } from './machine.ts'
import { benchLarge } from './million.ts'
import { benchNotes } from './note.ts'
import { readOptions, type Options } from './options.ts'
import { benchSync } from './sync.ts'
import { openStage } from './stage.ts'
import { toMarkdown, type Line } from './table.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const run = async (options: Options, signal: AbortSignal): Promise<void> => {
  const stage = await openStage(options, signal, say)
  try {
    const lines: Line[] = []
    if (options.only.includes('import')) lines.push(...(await benchImport(stage)))
    if (options.only.includes('million') || options.only.includes('api')) lines.push(...(await benchLarge(stage)))
    if (options.only.includes('sync')) lines.push(...(await benchSync(stage)))
    if (options.only.includes('forms')) lines.push(...(await benchForms(stage)))
    if (options.only.includes('notes')) lines.push(...(await benchNotes(stage)))
    const report = toMarkdown(lines, await describeMachine(stage), [])
    say(`\n${report}`)
    if (options.markdown !== undefined) writeFileSync(options.markdown, report)
  } finally {
    await stage.close()
  }
}

const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.on(name, () => stopping.abort(new Error(`stopped by ${name}`)))
try {
  await run(readOptions(process.argv.slice(2)), stopping.signal)
  process.exit(0)
} catch (error) {
  process.stderr.write(`${stopping.signal.aborted ? 'stopped' : (error as Error).message}\n`)
  process.exit(1)
}
