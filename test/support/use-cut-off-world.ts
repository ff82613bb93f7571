import { afterAll } from 'vitest';
import { hasPart } from './require-part.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import { useWorld } from './use-world.ts';
import type { World } from './world.ts';

/** A world whose database can be taken away: clients and workers reach it through a proxy. */
export function useCutOffWorld(options: { prepare?: (world: World) => Promise<void> } = {}): {
  world: () => World;
  proxy: () => TcpProxy;
} {
  let proxy: TcpProxy;
  const world = useWorld({
    ...options,
    async env(databaseUrl) {
      proxy = await startTcpProxy(new URL(databaseUrl).host);
      return { DATABASE_URL: proxy.through(databaseUrl) };
    },
  });
  afterAll(async () => {
    if (hasPart('temporal') && hasPart('postgres')) await proxy.stop();
  });
  return { world, proxy: () => proxy };
}
