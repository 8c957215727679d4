import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

export const say = (sentence) => process.stdout.write(`${sentence}\n`)

/** The line that names the error, or else the last one. */
const oneLine = (text) => {
  const lines = `${text ?? ''}`.trim().split('\n')
  return (lines.find((line) => /error|failed/i.test(line)) ?? lines.at(-1)).trim().slice(0, 300)
}

/** Runs a program and returns what it printed; an error is one line. */
export const run = (command, args, options = {}) => {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
      ...options,
    })
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error(`there is no program ${command}`, { cause: error })
    if (error.code === 'ETIMEDOUT') throw new Error(`${command} did not end in time`, { cause: error })
    throw new Error(oneLine(error.stderr) || oneLine(error.message), { cause: error })
  }
}

export const onPath = (...names) => {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const paths = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  const found = paths.find((path) => existsSync(path))
  if (!found) throw new Error(`it holds no ${names.join(', no ')}`)
  return found
}

/**
 * Finds a program: what `variable` names and nothing else, or else the first of `ways` ([name, () => path]) whose path passes `check`
 * (path => version). Each way that fails says why in one line; if all fail, the error names `variable`.
 */
export const find = async ({ what, variable, chosen, ways, check, tell = say }) => {
  if (chosen) {
    try {
      return { path: resolve(chosen), version: check(resolve(chosen)) }
    } catch (error) {
      throw new Error(`${variable} cannot be used as ${what}: ${error.message}. Correct it or unset it.`, {
        cause: error,
      })
    }
  }
  tell(`Looking for ${what} …`)
  for (const [name, way] of ways) {
    try {
      const path = await way()
      const version = check(path)
      tell(`  ${name}: ${path}, version ${version}`)
      return { path, version }
    } catch (error) {
      tell(`  ${name}: ${error.message}`)
    }
  }
  throw new Error(`${what} was not found in any of these ways. Install it and set ${variable} to its path.`)
}
