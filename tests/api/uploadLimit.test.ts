import { expect, test } from 'vitest'
import { createAccountLimit } from '../../src/api/upload/limit.ts'

test('each account has its own places; one beyond them is refused at once, and a place that fails is free again', async () => {
  const limit = createAccountLimit(2)
  const ends: ((error?: Error) => void)[] = []
  const work = async () =>
    new Promise<void>((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve())))
  const [first, second] = [limit('a', work), limit('a', work)]
  await expect(limit('a', work)).rejects.toMatchObject({ code: 'overloaded' })
  await limit('b', async () => undefined)
  ends[0]!(new Error('broke off'))
  await expect(first).rejects.toThrow('broke off')
  const third = limit('a', work)
  await expect(limit('a', work)).rejects.toMatchObject({ code: 'overloaded' })
  for (const end of ends.slice(1)) end()
  await Promise.all([second, third])
})
