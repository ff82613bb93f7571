import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files of a minute and more: begun last, one of them would keep the others' processes waiting. */
const LONG = [
  'test/chaos/streams.test.ts',
  'test/chaos/queues-under-load.test.ts',
  'test/dev/demo.test.ts',
  'test/examples/batch.test.ts',
  'test/sandbox/hostile.test.ts',
  'test/chaos/stopped-sandbox.test.ts',
  'test/chaos/effects.test.ts',
  'test/dev/pglite.test.ts',
  'test/chaos/kill-sandbox.test.ts',
  'test/bench/bench.test.ts',
];

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) =>
      LONG.some((name) => moduleId.endsWith(name));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
