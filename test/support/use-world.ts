import { afterAll, beforeAll, beforeEach } from 'vitest';
import { hasPart, requirePart } from './require-part.ts';
import { openWorld, type World, type WorldEnvironment } from './world.ts';

const OPEN_TIMEOUT_MS = 120_000;

/** A world for the tests of this file, where Temporal and PostgreSQL are there; `prepare` runs before them. */
export function useWorld(
  options: { env?: WorldEnvironment; prepare?: (world: World) => Promise<void> } = {},
): () => World {
  let world: World | undefined;
  beforeAll(async () => {
    if (!hasPart('temporal') || !hasPart('postgres')) return;
    world = await openWorld(options.env);
    await options.prepare?.(world);
  }, OPEN_TIMEOUT_MS);
  afterAll(() => world?.close());
  beforeEach((context) => {
    requirePart(context, 'temporal');
    requirePart(context, 'postgres');
  });
  return () => {
    if (!world) throw new Error('The world is open only while tests run.');
    return world;
  };
}
