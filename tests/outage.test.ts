import { test } from 'vitest'
import { surviveOutage } from './support/outage.ts'

test('I5, O1: SIGKILL of API, worker, Postgres and Temporal in the middle: the next start finishes the same run', async () => {
  await surviveOutage(6000, 150)
}, 240_000)
