import { expect, test } from 'vitest'
import { alertCause } from '../../src/domain/alert.ts'

test('R25: an alert about a missed schedule says what became of the run', () => {
  const sentence = (details: Record<string, string>) => {
    const { message, remedy } = alertCause('scheduleMissed', { code: null, ...details })
    return `${message} ${remedy}`
  }
  expect(sentence({ outcome: 'started' })).toContain('was started late')
  expect(sentence({ outcome: 'queued' })).toContain('begins when the one under way has ended')
  const skipped = sentence({ outcome: 'skipped', code: 'connectorDisabled' })
  expect(skipped).toContain('no run was started late. The connector is disabled')
  expect(skipped).not.toContain('look at its last runs')
})
