import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readConfig, variables } from '../src/config.ts'

const example = [...readFileSync('.env.example', 'utf8').matchAll(/^([A-Z_]+)=(.*)$/gm)].map(
  ([, name = '', value = '']) => [name, value] as const,
)

test('.env.example lists exactly the variables that Fairlead reads', () => {
  expect(example.map(([name]) => name)).toEqual(Object.keys(variables))
})

test('.env.example shows the defaults', () => {
  expect(readConfig(Object.fromEntries(example))).toEqual(readConfig({}))
})

test('an empty variable counts as not set', () => {
  expect(readConfig({ PORT: '', TEMPORAL_CLI: '' })).toEqual(readConfig({}))
})

test('wrong values are refused in one sentence that names every variable at fault and the file that lists them', () => {
  expect(() =>
    readConfig({ PORT: 'web', DATABASE_URL: 'mysql://x', FAIRLEAD_SECRET_KEYS: 'short', LOG_LEVEL: 'loud' }),
  ).toThrow(
    /^The configuration is not valid\. (?=.*PORT: )(?=.*DATABASE_URL: )(?=.*FAIRLEAD_SECRET_KEYS: expected id:key)(?=.*LOG_LEVEL: ).*See \.env\.example\.$/,
  )
})

test('trusted proxies are addresses and networks, as the server takes them', () => {
  for (const right of ['10.0.0.1', '10.0.0.0/8, ::1/128', 'fd00::/8', 'loopback'])
    expect(readConfig({ TRUSTED_PROXIES: right }).TRUSTED_PROXIES).toBe(right)
  for (const wrong of ['proxy', '10.0.0.0/33', '10.0.0.0/0', '10.0.0.1/8/8', '10.0.0.1,', '300.0.0.1'])
    expect(() => readConfig({ TRUSTED_PROXIES: wrong }), wrong).toThrow(/TRUSTED_PROXIES: expected addresses/)
})

test('a wrong value never repeats a secret', () => {
  expect(() => readConfig({ FAIRLEAD_SECRET_KEYS: 'k1:tooShortButSecret' })).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining('tooShortButSecret') as string }) as Error,
  )
})
