import type { Reporter, TestModule } from 'vitest/node'

/** Ends a run with one plain line for machines: `N passed, N failed, N skipped`. A file or error outside any test counts as a failure. */
export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0 }
    for (const module of modules) {
      const states = [...module.children.allTests()].map((test) => test.result().state)
      count.passed += states.filter((state) => state === 'passed').length
      count.skipped += states.filter((state) => state === 'skipped').length
      const failed = states.filter((state) => state === 'failed' || state === 'pending').length
      count.failed += failed === 0 && !module.ok() ? 1 : failed
    }
    process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`)
  }
}
