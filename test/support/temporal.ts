import type { Client } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import type { TemporalConfig } from '../../src/config/temporal.ts';

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

/** A namespace of its own, without search attributes. */
export async function newNamespace({ workflowService }: Client): Promise<string> {
  const namespace = `ns-${randomUUID()}`;
  const retention = { seconds: 86_400 };
  await workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: retention as never,
  });
  return namespace;
}
