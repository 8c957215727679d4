import type { lookup } from 'node:dns'
import { afterEach, describe, expect, test } from 'vitest'
import { openWebhooks } from '../../src/webhook/send.ts'
import { signed } from '../../src/webhook/sign.ts'
import { openReceiver, type Receiver, type Turn } from '../support/receiver.ts'

let receiver: Receiver | undefined
afterEach(() => receiver?.close())

const message = { id: 'd1', body: '{"type":"test"}', secrets: ['whsec_AAAA'] }
const send = async (url: string, allowed = '*', resolve?: typeof lookup) => {
  const webhooks = openWebhooks(allowed, resolve)
  try {
    return await webhooks.send({ url, ...message })
  } finally {
    await webhooks.close()
  }
}
const receive = async (...turns: Turn[]): Promise<Receiver> => (receiver = await openReceiver(...turns))

test('a signature is that of Standard Webhooks, by its published example', () => {
  const secrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']
  const example = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}', secrets }
  expect(signed(example, 1_614_265_330_000)).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

describe('R38: a webhook never calls', () => {
  const metadata = ((_name: string, _options: unknown, done: (...args: unknown[]) => void) =>
    done(null, [{ address: '169.254.169.254', family: 4 }])) as unknown as typeof lookup

  test.each([
    'http://169.254.169.254/latest',
    'http://[fe80::1]/',
    'http://metadata.google.internal/',
    'http://[::ffff:a9fe:a9fe]/',
  ])('a link-local or metadata address: %s', async (url) => {
    expect(await send(url)).toEqual({ status: null, error: 'hostNotAllowed' })
  })

  test('a name that resolves to one at the moment of the call', async () => {
    expect(await send('http://innocent.example/', '*', metadata)).toEqual({ status: null, error: 'hostNotAllowed' })
  })

  test('a host that the operator does not allow', async () => {
    const { url, calls } = await receive()
    expect(await send(url, '*.example.com')).toEqual({ status: null, error: 'hostNotAllowed' })
    expect(calls).toHaveLength(0)
  })

  test('where it is redirected to', async () => {
    const { url, calls } = await receive('http://169.254.169.254/', 204)
    expect(await send(`${url}/first?a=1`)).toEqual({ status: 307, error: 'redirect' })
    expect(calls.map(({ path }) => path)).toEqual(['/first?a=1'])
  })
})

test('an answer that says that nothing more is wanted is the last word; other refusals are not', async () => {
  const { url } = await receive(410, 500, 'drop')
  expect(await send(url)).toEqual({ status: 410, error: 'answer', final: true })
  expect(await send(url)).toEqual({ status: 500, error: 'answer', final: false })
  expect(await send(url)).toEqual({ status: null, error: 'unreachable' })
  expect(await send(url)).toEqual({ status: 204, error: null })
})
