import { openSync, statSync } from 'node:fs'

const most = 10_000_000

/** Opens a server's log for appending, emptied when it has grown large. A file, not a pipe: an orphan must not block or die on a closed one. */
export const openLog = (file: string): number => {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  return openSync(file, size > most ? 'w' : 'a', 0o600)
}
