import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/soak/**'],
    globalSetup: ['tests/support/servers.ts'],
    reporters: ['default', './tests/support/reporter.ts'],
    pool: 'forks',
    // Files also share their machine with Postgres, Temporal, and the workers that they start.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 30_000,
  },
})
