import { defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longest-first.ts';

/** Benchmarks are no part of `verify`: only the whole suite makes sure that they run. */
const exclude = process.env['FULL'] === '1' ? [] : ['test/bench/**'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude,
    globalSetup: ['test/support/setup.ts'],
    reporters: ['./test/support/reporter.ts'],
    sequence: { sequencer: LongestFirst },
    // A Temporal worker crashes in a worker thread.
    pool: 'forks',
    // Most of them wait for something to be missed: a heartbeat, a lease, a deadline.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // No test reaches a real provider, whatever the shell has set; QDRANT_URL is for the suite of indexes alone.
    env: { OPENAI_API_KEY: '', OPENAI_BASE_URL: '', QDRANT_URL: '', QDRANT_API_KEY: '' },
  },
});
