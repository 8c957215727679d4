import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** A place of this user among the temporary files. By number: a user of a container may have no name. */
export const ownTemp = (name: string): string =>
  join(tmpdir(), `fairlead-${name}-${process.getuid?.() ?? userInfo().username}`)
