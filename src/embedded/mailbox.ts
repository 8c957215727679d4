import { randomBytes } from 'node:crypto'
import { createWriteStream, mkdirSync } from 'node:fs'
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'

export type Mailbox = Awaited<ReturnType<typeof openMailbox>>

const isMail = /^[\w-]+\.eml$/
/** of a mail's beginning, in which its header stands */
const headBytes = 64 * 1024

/** Mails as files of a folder, at most `most` of them; names are in the order of arrival. */
export const openMailbox = async (dir: string, most: number) => {
  const folder = resolve(dir)
  mkdirSync(folder, { recursive: true })
  const names = new Set((await readdir(folder)).filter((name) => isMail.test(name)).sort())

  const prune = async (): Promise<void> => {
    const surplus = [...names].slice(0, Math.max(0, names.size - most))
    for (const name of surplus) {
      names.delete(name)
      await rm(join(folder, name), { force: true })
    }
  }
  await prune()

  return {
    folder,
    count: (): number => names.size,
    has: (name: string): boolean => names.has(name),
    async store(mail: NodeJS.ReadableStream): Promise<void> {
      const name = `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${randomBytes(4).toString('hex')}.eml`
      const draft = join(folder, `.${name}`)
      await pipeline(mail, createWriteStream(draft, { mode: 0o600 }))
      await rename(draft, join(folder, name))
      names.add(name)
      await prune()
    },
    /** newest first, older than `before` */
    page(limit: number, before?: string): string[] {
      const newest = [...names].sort().reverse()
      return newest.filter((name) => before === undefined || name < before).slice(0, limit)
    },
    read: (name: string): Promise<Buffer> => readFile(join(folder, name)),
    async head(name: string): Promise<Buffer> {
      const file = await open(join(folder, name))
      try {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0)
        const start = buffer.subarray(0, bytesRead)
        const end = /\r?\n\r?\n/.exec(start.toString('latin1'))?.index ?? bytesRead
        return Buffer.concat([start.subarray(0, end), Buffer.from('\r\n\r\n')])
      } finally {
        await file.close()
      }
    },
  }
}
