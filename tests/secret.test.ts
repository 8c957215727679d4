import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createSecretBox } from '../src/db/secret.ts'

const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`
const [first, second] = [key('k1'), key('k2')]
const box = createSecretBox(first)
const unreadable = expect.objectContaining({ code: 'secretUnreadable' })
/** `v1.keyId.iv.tag.ciphertext` with one part replaced */
const replace = (sealed: string, at: number, part: (old: string) => string): string =>
  sealed
    .split('.')
    .map((old, index) => (index === at ? part(old) : old))
    .join('.')

describe('C1: a secret at rest', () => {
  test('opens to what was sealed, whatever it is', () => {
    for (const plain of ['secret', '', 'пароль, 密码 and 🗝', 'x'.repeat(10_000)]) {
      const sealed = box.seal(plain, 'connection:1')
      expect(sealed).toMatch(/^v1\.k1\.[\w-]{16}\.[\w-]{22}\.[\w-]*$/)
      expect(box.open(sealed, 'connection:1')).toBe(plain)
    }
  })

  test('never looks the same twice, so equal passwords cannot be told', () => {
    const sealed = Array.from({ length: 100 }, () => box.seal('secret', 'connection:1'))
    expect(new Set(sealed.map((each) => each.split('.')[2])).size).toBe(100)
    expect(new Set(sealed.map((each) => each.split('.')[4])).size).toBe(100)
  })

  test('does not open in another row or for another purpose', () => {
    const sealed = box.seal('secret', 'connection:1')
    for (const context of ['connection:2', 'candidate:1', ''])
      expect(() => box.open(sealed, context)).toThrow(unreadable)
  })

  test('does not open when any part of it was changed, cut or taken from another', () => {
    const sealed = box.seal('secret', 'connection:1')
    const flip = (part: string): string => {
      const bytes = Buffer.from(part, 'base64url')
      bytes[0]! ^= 1
      return bytes.toString('base64url')
    }
    for (const at of [2, 3, 4]) {
      const other = box.seal('secret', 'connection:1').split('.')[at]!
      for (const part of [flip, () => other, () => '', (old: string) => old.slice(0, -2)])
        expect(() => box.open(replace(sealed, at, part), 'connection:1')).toThrow(unreadable)
    }
    for (const bytes of [4, 8, 12, 15]) {
      const short = (tag: string): string => Buffer.from(tag, 'base64url').subarray(0, bytes).toString('base64url')
      expect(() => box.open(replace(sealed, 3, short), 'connection:1'), `a tag of ${bytes} bytes`).toThrow(unreadable)
    }
    for (const text of ['', 'v1', 'secret', replace(sealed, 0, () => 'v2')])
      expect(() => box.open(text, 'connection:1')).toThrow(unreadable)
  })
})

describe('C1: keys', () => {
  test('can be rotated: the first one seals, every one opens, and what others sealed is stale', () => {
    const old = box.seal('secret', 'connection:1')
    const both = createSecretBox(`${second},${first}`)
    expect([both.open(old, 'connection:1'), both.isStale(old)]).toEqual(['secret', true])
    const renewed = both.seal('secret', 'connection:1')
    expect(both.isStale(renewed)).toBe(false)
    expect(createSecretBox(second).open(renewed, 'connection:1')).toBe('secret')
  })

  test('that are missing are named, without a word of the secret', () => {
    const sealed = createSecretBox(second).seal('secret', 'connection:1')
    expect(() => box.open(sealed, 'connection:1')).toThrow(
      expect.objectContaining({ code: 'secretUnreadable', message: 'A stored secret needs the key "k2".' }),
    )
  })

  test('of the same name and other bytes do not open it', () => {
    const sealed = createSecretBox(key('k1')).seal('secret', 'connection:1')
    expect(() => box.open(sealed, 'connection:1')).toThrow(unreadable)
  })
})
