import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'

type Find = {
  what: string
  variable: string
  chosen?: string
  ways: [string, () => string][]
  check: (path: string) => string
  tell: (line: string) => void
}
type Archive = Record<'unzip' | 'untar', (archive: Buffer, name: string) => Buffer>
type Temporal = {
  writeCache: (bytes: Buffer, folders: string[], check: (path: string) => string) => string
  versionOf: (path: string) => string
}

// The scripts are plain JavaScript without types.
const load = async <T>(name: string) => (await import(new URL(`../scripts/${name}`, import.meta.url).href)) as T
const { unzip, untar } = await load<Archive>('setup/archive.mjs')
const { find } = await load<{ find: (options: Find) => Promise<{ path: string; version: string }> }>('setup/ways.mjs')
const { writeCache, versionOf } = await load<Temporal>('setup/temporal.mjs')
const { missingPackages } = await load<{ missingPackages: (wanted: object, installed: object) => string[] }>(
  'setup.mjs',
)
const folder = mkdtempSync(join(tmpdir(), 'fairlead-setup-'))
afterAll(() => rmSync(folder, { recursive: true }))

const content = Buffer.from('#!/bin/sh\n'.repeat(500))

const zip = (name: string, bytes: Buffer) => {
  const packed = deflateRawSync(bytes)
  const shared = Buffer.alloc(26)
  shared.writeUInt16LE(8, 4)
  shared.writeUInt32LE(crc32(bytes), 10)
  shared.writeUInt32LE(packed.length, 14)
  shared.writeUInt32LE(bytes.length, 18)
  shared.writeUInt16LE(name.length, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), shared, Buffer.from(name), packed])
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), shared, Buffer.alloc(14), Buffer.from(name)])
  const end = Buffer.alloc(18)
  end.writeUInt16LE(1, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(local.length, 12)
  return Buffer.concat([local, central, Buffer.from('PK\x05\x06'), end])
}

const tarEntry = (name: string, bytes: Buffer) => {
  const header = Buffer.alloc(512)
  header.write(name)
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

describe('archives', () => {
  test('a file comes out of a zip as it went in', () => {
    expect(unzip(zip('scripts/temporal', content), 'scripts/temporal')).toEqual(content)
  })

  test('a file comes out of a .tar.gz as it went in, wherever it stands', () => {
    const archive = gzipSync(
      Buffer.concat([tarEntry('LICENSE', Buffer.from('MIT')), tarEntry('./temporal', content), Buffer.alloc(1024)]),
    )
    expect(untar(archive, 'temporal')).toEqual(content)
  })

  test('a missing file and a file that is no archive are said in a sentence', () => {
    expect(() => unzip(zip('other', content), 'temporal')).toThrow('the archive has no file temporal')
    expect(() => unzip(content, 'temporal')).toThrow('the archive is not a zip file')
    expect(() => untar(gzipSync(tarEntry('LICENSE', content)), 'temporal')).toThrow('the archive has no file temporal')
  })
})

describe('finding a program', () => {
  const options = (ways: Find['ways']) => {
    const told: string[] = []
    const check = (path: string) => {
      if (path === '/old') throw new Error('/old is too old')
      return '1.9.1'
    }
    return { what: 'the tool', variable: 'THE_TOOL', ways, check, tell: (line: string) => told.push(line), told }
  }
  const fails = () => {
    throw new Error('no network')
  }

  test('the first way that works is taken, and each one before it says why it failed', async () => {
    const given = options([
      ['PATH', () => '/old'],
      ['download', fails],
      ['package', () => '/new'],
      ['never asked', fails],
    ])
    expect(await find(given)).toEqual({ path: '/new', version: '1.9.1' })
    expect(given.told).toEqual([
      'Looking for the tool …',
      '  PATH: /old is too old',
      '  download: no network',
      '  package: /new, version 1.9.1',
    ])
  })

  test('the variable comes before every way, and is not passed over when it is wrong', async () => {
    const ways: Find['ways'] = [['PATH', () => '/new']]
    expect(await find({ ...options(ways), chosen: '/mine' })).toEqual({ path: '/mine', version: '1.9.1' })
    await expect(find({ ...options(ways), chosen: '/old' })).rejects.toThrow(
      'THE_TOOL cannot be used as the tool: /old is too old.',
    )
  })

  test('when no way works, the error names the variable', async () => {
    await expect(find(options([['download', fails]]))).rejects.toThrow('Install it and set THE_TOOL to its path.')
  })
})

describe('the Temporal CLI', () => {
  const cli = (name: string, output: string) => {
    const path = join(folder, name)
    writeFileSync(path, `#!/bin/sh\necho '${output}'\n`)
    chmodSync(path, 0o755)
    return path
  }

  test('a version with the flags that Fairlead passes is accepted, an older one and another program are not', () => {
    expect(versionOf(cli('new', 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)'))).toBe('1.9.1')
    expect(() => versionOf(cli('older', 'temporal version 1.2.0 (Server 1.26.2)'))).toThrow(
      'is version 1.2.0, older than 1.9',
    )
    expect(() => versionOf(cli('other', 'hello'))).toThrow('is not the Temporal CLI')
  })

  test('where the cache cannot be written, the next folder is taken', () => {
    const blocked = join(cli('file', ''), 'below')
    const path = writeCache(content, [blocked, join(folder, 'cache')], () => '1.9.1')
    expect(path).toBe(join(folder, 'cache', 'temporal'))
    expect(readFileSync(path)).toEqual(content)
  })
})

test('packages are missing when absent or of another version, unless they are for other systems', () => {
  const wanted = {
    packages: {
      '': {},
      a: { version: '1' },
      b: { version: '2' },
      c: { version: '1' },
      mac: { version: '1', optional: true },
    },
  }
  expect(missingPackages(wanted, { packages: { a: { version: '1' }, b: { version: '1' } } })).toEqual(['b', 'c'])
})

test('set-up says nothing when nothing is to do', () => {
  expect(execFileSync(process.execPath, ['scripts/setup.mjs'], { encoding: 'utf8' })).toBe('')
})
