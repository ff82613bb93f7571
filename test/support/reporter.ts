import { DefaultReporter } from 'vitest/node';
import type { SerializedError, TestCase, TestModule, TestRunEndReason } from 'vitest/node';
import { MISSING_PART } from './require-part.ts';

/**
 * The default output, then the parts that were missing and, as the last line, `N passed, N failed, N skipped`. A file or
 * suite that could not run, and an error outside any test, count as failed. With REQUIRE_ALL=1 a skip fails the run.
 */
export default class CountingReporter extends DefaultReporter {
  override onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    super.onTestRunEnd(modules, unhandled, reason);
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    const skipped = count('skipped');
    const failed = count('failed') + brokenContainers(modules) + unhandled.length;
    if (process.env['REQUIRE_ALL'] === '1' && skipped > 0) {
      process.exitCode = 1;
      this.log('REQUIRE_ALL=1: a skipped test fails the run.');
    }
    for (const part of missingParts(tests)) this.log(part);
    this.log(`${count('passed')} passed, ${failed} failed, ${skipped} skipped`);
  }
}

/** Files and suites that failed by themselves: at import, or in a hook. */
function brokenContainers(modules: readonly TestModule[]): number {
  return modules
    .flatMap((module) => [module, ...module.children.allSuites()])
    .filter((container) => container.errors().length > 0).length;
}

function missingParts(tests: TestCase[]): string[] {
  const notes = tests.map((test) => {
    const result = test.result();
    return result.state === 'skipped' ? (result.note ?? '') : '';
  });
  const missing = notes.filter((note) => note.startsWith(MISSING_PART));
  return [...new Set(missing)].map((note) => {
    const tests = missing.filter((other) => other === note).length;
    return `${note} — ${tests} skipped for it`;
  });
}
