import { spawnSync } from 'node:child_process'

/** The user a server must run as: `{}` is the present one. Postgres refuses to run as root. */
export type User = { uid?: number; gid?: number }

const id = (flag: string) => {
  const { status, stdout } = spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' })
  return status === 0 ? Number(stdout) : undefined
}

const lookUp = (): Required<User> | undefined => {
  const [uid, gid] = [id('-u'), id('-g')]
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}

const waysToAdd = [
  ['useradd', '--system', '--user-group', '--no-create-home', '--shell', '/bin/false', 'postgres'],
  ['adduser', '-S', '-H', '-D', '-s', '/bin/false', 'postgres'],
]

/** As root: the unprivileged user `postgres`, created when the machine has none. Otherwise the present user. */
export const unprivilegedUser = (): User => {
  if (process.getuid?.() !== 0) return {}
  for (const [command = '', ...args] of waysToAdd) {
    const found = lookUp()
    if (found) return found
    spawnSync(command, args, { stdio: 'ignore' })
  }
  const found = lookUp()
  if (found) return found
  throw new Error(
    'Postgres does not run as root, and the user "postgres" could not be created. Create it, or start Fairlead as another user.',
  )
}

/** Asks the operating system itself, so that access lists and mount options count too. */
export const canEnter = (user: User, folder: string): boolean =>
  spawnSync('/bin/sh', ['-c', 'cd "$0"', folder], { ...user, cwd: '/', stdio: 'ignore' }).status === 0

export const canRun = (user: User, program: string): boolean =>
  spawnSync(program, ['--version'], { ...user, cwd: '/', stdio: 'ignore' }).status === 0
