import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import type { TemporalConfig } from '../../src/config.ts';

/** The run's Temporal server. Call `requirePart(context, 'temporal')` or `hasPart` first. */
export function testTemporal(): TemporalConfig {
  const address = inject('temporalAddress');
  if (address === null)
    throw new Error(`There is no Temporal server: ${inject('temporalMissing')}`);
  return { connectionOptions: { address }, namespace: 'default' };
}

/** A task queue that no other test uses. */
export function freshTaskQueue(): string {
  return `test-${randomUUID()}`;
}
