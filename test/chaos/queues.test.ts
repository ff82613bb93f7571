import { describe, expect, it, vi } from 'vitest';
import type { StartTurn } from '../../src/client/start-turn.ts';
import type { Turn } from '../../src/contracts/store.ts';
import { startChild } from '../../src/dev/child.ts';
import { runnable } from '../support/compile.ts';
import {
  answer,
  createsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  resultOf,
  SOON,
  untilShown,
  type Talk,
} from '../support/talk.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { useWorkers } from '../support/use-workers.ts';
import { useWorld } from '../support/use-world.ts';

const world = useWorld();
const workers = useWorkers(() => world().startWorker());

const start = (talk: Talk, input: string, whenBusy?: StartTurn['whenBusy']) =>
  world().turnkeeper.turns.start({ ...talk, input, ...(whenBusy && { whenBusy }) });

/** A turn in mid-answer, until the model is told to release. */
async function talking(talk: Talk, ...later: string[]): Promise<Turn> {
  await world().offline.script([heldAnswer('An answer in words.'), ...later.map(answer)]);
  const turn = await start(talk, 'First?');
  await untilShown(world(), turn);
  return turn;
}

/** As it stands in the database, so that nobody who asks for it mends anything. */
async function untilEnded(turn: Turn): Promise<[status: string, reason: string | null]> {
  const found = await vi.waitFor(async () => {
    const [row] = await world().sql<{ status: string; reason: string | null }>(
      "SELECT status, reason FROM turnkeeper.turns WHERE id = $1 AND state = 'sealed'",
      [turn.id],
    );
    expect(row).toBeDefined();
    return row;
  }, SOON);
  return [found?.status ?? '', found?.reason ?? null];
}

/** The time that whoever interrupted it had to cancel it is over. */
async function forgotten({ id }: Turn): Promise<void> {
  await world().sql(
    "UPDATE turnkeeper.turns SET cancelling_at = cancelling_at - interval '5 seconds' WHERE id = $1",
    [id],
  );
}

/** The one that was interrupted has ended so, and the other has got its answer. */
async function expectInterrupted(old: Turn, next: Turn): Promise<void> {
  expect(await untilEnded(old)).toEqual(['cancelled', 'interrupted']);
  expect(await untilEnded(next)).toEqual(['completed', null]);
  expect(await resultOf(world(), next)).toMatchObject({ turn: { interrupts: old.id } });
  expect(await createsOf(world())).toHaveLength(2);
}

describe('a turn that interrupts another', { timeout: 120_000 }, () => {
  it('comes in its place though its caller died before it had that cancelled', async () => {
    const worker = await workers.next();
    const talk = await newTalk(world());
    const old = await talking(talk, 'After all.');
    const caller = await startChild({
      name: 'The caller',
      script: runnable(new URL('../support/caller-main.ts', import.meta.url)),
      args: [talk.conversationId, talk.assistantId, 'only-once', 'interrupt'],
      env: world().env,
    });
    expect(caller.ready['turnId']).toBe(old.id);
    caller.kill('SIGKILL');
    await caller.exited;
    const { data } = await world().turnkeeper.turns.list(talk.conversationId);
    const [next] = data.filter(({ id }) => id !== old.id) as [Turn];
    expect(next).toMatchObject({ state: 'queued', interrupts: old.id });
    await forgotten(old);

    await expectInterrupted(old, next);
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });

  it('comes in its place though Temporal was away then', async () => {
    const worker = await workers.next();
    const talk = await newTalk(world());
    const old = await talking(talk, 'After all.');
    const proxy = await startTcpProxy(world().env['TEMPORAL_ADDRESS'] ?? '');
    const caller = await world().client(undefined, { TEMPORAL_ADDRESS: proxy.address });
    proxy.cut();
    const next = await caller.turns.start({ ...talk, input: 'Stop!', whenBusy: 'interrupt' });
    expect(next).toMatchObject({ state: 'queued' });
    await forgotten(old);

    await expectInterrupted(old, next);
    await proxy.stop();
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });
});

describe('turns that wait', { timeout: 120_000 }, () => {
  it('are not held up by one whose workflow was terminated, though nobody asks for them', async () => {
    const worker = await workers.next();
    const talk = await newTalk(world());
    const dead = await talking(talk, 'Second.', 'Third.');
    const waiting = [await start(talk, 'B?', 'enqueue'), await start(talk, 'C?', 'enqueue')];
    await world().temporal.workflow.getHandle(dead.id).terminate('by an operator');

    expect(await untilEnded(dead)).toEqual(['failed', 'workflow_lost']);
    for (const turn of waiting) expect(await untilEnded(turn)).toEqual(['completed', null]);
    expect(await createsOf(world())).toHaveLength(3);
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });

  it('are started though the worker that ended the one before them is killed in between', async () => {
    const victim = await workers.next();
    const talk = await newTalk(world());
    const first = await talking(talk, 'Second.', 'Third.');
    const waiting = [await start(talk, 'B?', 'enqueue'), await start(talk, 'C?', 'enqueue')];
    const reached = victim.hangAt('closeTurn: sealed');
    await world().offline.release();
    await reached;
    expect(await untilEnded(first)).toEqual(['completed', null]);
    victim.kill('SIGKILL');
    const rescuer = await workers.next();

    for (const turn of waiting) expect(await untilEnded(turn)).toEqual(['completed', null]);
    expect(await createsOf(world())).toHaveLength(3);
    await expectNextTurn(world(), talk);
    workers.keep(rescuer);
  });
});
