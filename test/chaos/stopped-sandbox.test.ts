import { once } from 'node:events';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { Turn } from '../../src/contracts/store.ts';
import { containersOf, openDocker, startsOf, untilCodeRuns } from '../sandbox/docker-fixtures.ts';
import { expectComputed, startCodeTurn } from '../support/code-turns.ts';
import { useSandbox } from '../support/sandboxes.ts';
import { expectNextTurn, SOON } from '../support/talk.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { useWorkers } from '../support/use-workers.ts';
import { useWorld } from '../support/use-world.ts';
import type { TestWorker } from '../support/world.ts';

const GATE = '/tmp/gate';
/** Prints something else each time that it runs, and ends once it is let. */
const CODE = `
import os, time, uuid
print(uuid.uuid4())
while not os.path.exists('${GATE}'): time.sleep(0.05)`;
const PRINTED = /^[0-9a-f]{8}-[0-9a-f-]{27}\n$/;

const host = useSandbox('docker');
const world = useWorld({ env: () => host.env() });

interface Reached extends TestWorker {
  /** Its way to Temporal. */
  temporal: TcpProxy;
}

const proxies: TcpProxy[] = [];
afterAll(() => Promise.all(proxies.map((proxy) => proxy.stop())));

const workers = useWorkers<Reached>(async () => {
  const temporal = await startTcpProxy(world().env['TEMPORAL_ADDRESS'] ?? '');
  proxies.push(temporal);
  const worker = await world().startWorker({ env: { TEMPORAL_ADDRESS: temporal.address } });
  return { ...worker, temporal };
});

async function letCodeEnd(containerId: string): Promise<void> {
  const container = (await openDocker()).getContainer(containerId);
  const touch = await container.exec({ Cmd: ['touch', GATE], AttachStdout: true });
  const output = await touch.start({});
  await once(output.resume(), 'end');
}

/** Temporal has given the first attempt up, and another worker has begun the second. */
async function untilTakenOver({ id }: Turn): Promise<void> {
  await vi.waitFor(async () => {
    const steps = await world().turnkeeper.turns.steps(id);
    expect(steps.find(({ kind }) => kind === 'tool')?.attempts).toBe(2);
  }, SOON);
}

describe('an attempt that ends while its code runs', { timeout: 180_000 }, () => {
  async function expectCollected(end: (worker: Reached, turn: Turn) => Promise<void>) {
    const docker = await openDocker();
    const first = await workers.next();
    const { talk, turn, key } = await startCodeTurn(world(), CODE);
    const { Id } = await untilCodeRuns(docker, key);
    const second = await workers.next();
    await end(first, turn);
    await letCodeEnd(Id);
    await expectComputed(world(), turn, PRINTED);
    expect(await startsOf(docker, key)).toBe(1);
    await vi.waitFor(async () => expect(await containersOf(docker, key)).toEqual([]), SOON);
    await expectNextTurn(world(), talk);
    workers.keep(second);
  }

  it('because its worker got SIGTERM leaves the run to the next worker, which collects it', () =>
    expectCollected(async (leaving) => {
      leaving.kill('SIGTERM');
      expect(await leaving.exited).toEqual({ code: 0, signal: null });
    }));

  it('because Temporal gave it up leaves the run to the attempt that took over', () =>
    expectCollected(async (zombie, turn) => {
      zombie.temporal.cut();
      await untilTakenOver(turn);
      zombie.temporal.restore();
      await vi.waitFor(() => expect(zombie.output()).toContain('tool call given up'), SOON);
    }));
});
