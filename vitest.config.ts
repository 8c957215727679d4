import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/soak/**'],
    globalSetup: ['tests/support/servers.ts'],
    reporters: ['default', './tests/support/reporter.ts'],
    pool: 'forks',
    // Files begin with no state of their own: each opens its servers, so a process may go on with what it has loaded.
    isolate: false,
    // Files also share their machine with Postgres, Temporal, and the workers that they start.
    maxWorkers: 6,
    // A limit for what hangs, and no measure: a busy machine takes several times as long.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    teardownTimeout: 30_000,
  },
})
