import { defineConfig } from 'vitest/config'

const hour = 3_600_000

export default defineConfig({
  test: {
    include: ['tests/soak/**/*.soak.ts'],
    globalSetup: ['tests/support/servers.ts'],
    reporters: ['verbose', './tests/support/reporter.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: hour,
    hookTimeout: hour,
    teardownTimeout: 60_000,
  },
})
