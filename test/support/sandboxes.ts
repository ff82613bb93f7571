import { afterAll, beforeAll, beforeEach } from 'vitest';
import { readSandbox } from '../../src/config.ts';
import type { Sandbox } from '../../src/contracts/sandbox.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { hasPart, requirePart } from './require-part.ts';

export const SANDBOXES = ['bubblewrap', 'docker'] as const;

/** The sandbox of this host, for the tests of a suite; they are skipped where it is missing. */
export interface HostSandbox {
  /** Settings of a worker that runs code there; of one without, where it is missing. */
  env(): Record<string, string>;
  /** The test's own hold on it, to look and to clean up. */
  readonly sandbox: Sandbox;
}

export function useSandbox(kind: Sandbox['kind']): HostSandbox {
  let sandbox: Sandbox | null = null;
  beforeAll(async () => {
    if (hasPart(kind)) ({ sandbox } = await openSandbox({ ...readSandbox(), kind }));
  });
  afterAll(() => sandbox?.close());
  beforeEach((context) => requirePart(context, kind));
  return {
    env: () => ({ TURNKEEPER_SANDBOX: hasPart(kind) ? kind : 'none' }),
    get sandbox() {
      if (sandbox === null) throw new Error('The sandbox is open only while tests run.');
      return sandbox;
    },
  };
}
