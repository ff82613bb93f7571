import { afterAll, describe, expect, it, vi } from 'vitest';
import type { Turn } from '../../src/contracts/store.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { applyRewinds, countOf, readEvents, shownTexts } from '../support/reading.ts';
import type { Refusal } from '../support/refusals.ts';
import { sampledIt } from '../support/sample.ts';
import {
  answer,
  callOf,
  closedAs,
  createsOf,
  effectsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  resultOf,
  say,
  SOON,
  untilShown,
  untilStreamed,
} from '../support/talk.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { useWorkers } from '../support/use-workers.ts';
import { useWorld } from '../support/use-world.ts';
import type { TestWorker } from '../support/world.ts';

const STALE = 'Stale words of an attempt that was given up long ago.';
const ANSWER = 'Fresh words of the attempt that took over.';

/** Says a word now and then, for longer than any test. */
const ENDLESS: ScriptStep = { kind: 'answer', text: `${STALE} `.repeat(100), delayMs: 250 };

const world = useWorld();

interface Zombie extends TestWorker {
  /** Its way to Temporal. */
  temporal: TcpProxy;
  /** Stops the process. Its connections break as well, lest Temporal goes on giving it tasks. */
  pause(): void;
  wake(): void;
}

const proxies: TcpProxy[] = [];
afterAll(() => Promise.all(proxies.map((proxy) => proxy.stop())));

const workers = useWorkers<Zombie>(async () => {
  const temporal = await startTcpProxy(world().env['TEMPORAL_ADDRESS'] ?? '');
  proxies.push(temporal);
  const worker = await world().startWorker({ env: { TEMPORAL_ADDRESS: temporal.address } });
  return {
    ...worker,
    temporal,
    pause() {
      worker.kill('SIGSTOP');
      temporal.cut();
    },
    wake() {
      temporal.restore();
      worker.letGo();
      worker.kill('SIGCONT');
    },
  };
});

async function untilRefused(zombie: Zombie, what: Refusal['refused'], { id }: Turn): Promise<void> {
  await vi.waitFor(() => expect(zombie.refusals(id)).toContain(what), SOON);
}

/** Waits until the first request was given up by who sent it. */
async function untilHungUp(): Promise<void> {
  await vi.waitFor(async () => expect((await createsOf(world()))[0]?.aborted).toBe(true), SOON);
}

/** Waits until another attempt has taken back what the first one showed, and shows text of its own. */
async function untilTakenOver(turn: Turn): Promise<void> {
  await untilStreamed(world(), turn, 'turn.rewind');
  await untilShown(world(), turn);
}

/** The answer of the second attempt and nothing else after it took over. */
async function expectFreshAnswer(turn: Turn): Promise<void> {
  const result = await resultOf(world(), turn);
  expect(result).toMatchObject({ status: 'completed', answer: ANSWER });
  expect(result.usage.calls.map(({ state }) => state)).toEqual(['abandoned', 'completed']);
  const events = await readEvents(world().turnkeeper, turn.id);
  expect(shownTexts(events)).toEqual([ANSWER]);
  expect(countOf(events, 'turn.rewind')).toBeLessThanOrEqual(1);
  expect(countOf(applyRewinds(events), 'response.created')).toBe(1);
  expect(countOf(applyRewinds(events), 'response.completed')).toBe(1);
  expect(await createsOf(world())).toHaveLength(2);
}

/** Every row that says something about the turn. */
async function rowsOf({ id }: Turn): Promise<unknown> {
  const { sql } = world();
  const of = (table: string, column: string, order: string) =>
    sql(`SELECT * FROM turnkeeper.${table} WHERE ${column} = $1 ORDER BY ${order}`, [id]);
  return {
    turn: await of('turns', 'id', 'number'),
    steps: await of('steps', 'turn_id', 'number'),
    calls: await of('model_calls', 'turn_id', 'number'),
    items: await of('items', 'turn_id', 'position'),
    events: await of('events', 'turn_id', 'seq'),
  };
}

async function untilResumed(): Promise<void> {
  await vi.waitFor(async () => {
    const paths = (await world().offline.journal()).map(({ path }) => path);
    expect(paths.filter((path) => path.includes('starting_after='))).toHaveLength(1);
  }, SOON);
}

describe('an attempt that was given up and comes back', { timeout: 180_000 }, () => {
  const it = sampledIt(5, 3);

  it('leaves a response alone that another attempt has gone on with in the background', async () => {
    const talk = await newTalk(world(), { generation: 'background' });
    await world().offline.script([heldAnswer(ANSWER)]);
    const zombie = await workers.next();
    const turn = await say(world(), talk);
    await untilShown(world(), turn);
    zombie.pause();
    const successor = await workers.next();
    await untilResumed();

    zombie.wake();
    await untilHungUp();
    await world().offline.release();
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'completed', answer: ANSWER });
    const events = await readEvents(world().turnkeeper, turn.id);
    expect(shownTexts(events)).toEqual([ANSWER]);
    expect(countOf(events, 'turn.rewind')).toBe(0);
    expect(await createsOf(world())).toHaveLength(1);
    const paths = (await world().offline.journal()).map(({ path }) => path);
    expect(paths.filter((path) => path.endsWith('/cancel'))).toEqual([]);
    await expectNextTurn(world(), talk);
    workers.keep(successor);
  });

  it('stops a response in the background whose id it alone knows', async () => {
    const talk = await newTalk(world(), { generation: 'background' });
    await world().offline.script([heldAnswer(STALE), heldAnswer(ANSWER)]);
    const zombie = await workers.next();
    const reached = zombie.hangAt('respond: after the create');
    const turn = await say(world(), talk);
    await reached;
    zombie.pause();
    const successor = await workers.next();
    await untilShown(world(), turn);

    zombie.wake();
    const [first] = await createsOf(world());
    const path = `/v1/responses/${String(first?.responseId)}/cancel`;
    await vi.waitFor(async () => {
      const paths = (await world().offline.journal()).map((entry) => entry.path);
      expect(paths.filter((asked) => asked.endsWith('/cancel'))).toEqual([path]);
    }, SOON);
    await world().offline.release();
    await expectFreshAnswer(turn);
    const { calls } = await world().turnkeeper.turns.usage(turn.id);
    expect(calls[0]).toMatchObject({ responseId: first?.responseId, estimated: false });
    await expectNextTurn(world(), talk);
    workers.keep(successor);
  });

  it('adds none of the tokens it still has', async () => {
    const talk = await newTalk(world());
    await world().offline.script([ENDLESS, heldAnswer(ANSWER)]);
    const zombie = await workers.next();
    const turn = await say(world(), talk);
    await untilShown(world(), turn);
    zombie.pause();
    const successor = await workers.next();
    await untilTakenOver(turn);

    // What came meanwhile waits in its socket.
    zombie.wake();
    await untilHungUp();
    await world().offline.release();
    await expectFreshAnswer(turn);
    successor.kill('SIGKILL');
    await expectNextTurn(world(), talk);
    workers.keep(zombie);
  });

  it('cannot settle a model call that another attempt has taken over', async () => {
    const talk = await newTalk(world());
    await world().offline.script([answer(STALE), heldAnswer(ANSWER)]);
    const zombie = await workers.next();
    const reached = zombie.hangAt('respond: after the last delta');
    const turn = await say(world(), talk);
    await reached;
    zombie.pause();
    const successor = await workers.next();
    await vi.waitFor(async () => expect(await createsOf(world())).toHaveLength(2), SOON);

    zombie.wake();
    await untilRefused(zombie, 'settleResponse', turn);
    await world().offline.release();
    await expectFreshAnswer(turn);
    await expectNextTurn(world(), talk);
    workers.keep(successor);
  });

  it('is refused its tokens when it never paused but was cut off from Temporal', async () => {
    const talk = await newTalk(world());
    await world().offline.script([ENDLESS, answer(ANSWER)]);
    const zombie = await workers.next();
    const turn = await say(world(), talk);
    await untilShown(world(), turn);
    zombie.temporal.cut();
    const successor = await workers.next();

    await untilRefused(zombie, 'append', turn);
    await untilHungUp();
    await expectFreshAnswer(turn);
    await expectNextTurn(world(), talk);
    workers.keep(successor);
  });
});

describe('a worker that Temporal did not hear of for ten seconds', { timeout: 180_000 }, () => {
  it('gives up its call when it gets the same step again', async () => {
    const talk = await newTalk(world());
    await world().offline.script([ENDLESS, heldAnswer(ANSWER)]);
    const worker = await workers.next();
    const turn = await say(world(), talk);
    await untilShown(world(), turn);
    await worker.temporal.outage(10_000);
    await untilTakenOver(turn);

    await untilHungUp();
    await world().offline.release();
    await expectFreshAnswer(turn);
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });
});

describe('a worker that comes back after its turn was sealed', { timeout: 180_000 }, () => {
  const it = sampledIt(3, 2);

  it('adds nothing to a turn whose workflow was lost', async () => {
    const talk = await newTalk(world());
    await world().offline.script([answer(STALE)]);
    const zombie = await workers.next();
    const reached = zombie.hangAt('respond: after the last delta');
    const turn = await say(world(), talk);
    await reached;
    zombie.pause();
    await world().temporal.workflow.getHandle(turn.id).terminate('by an operator');
    expect(await resultOf(world(), turn)).toMatchObject({
      status: 'failed',
      reason: 'workflow_lost',
    });
    const sealed = await rowsOf(turn);

    zombie.wake();
    await untilRefused(zombie, 'settleResponse', turn);
    await expectNextTurn(world(), talk);
    expect(await rowsOf(turn)).toEqual(sealed);
    workers.keep(zombie);
  });

  it('adds no tokens to it when it never paused but was cut off from Temporal', async () => {
    const talk = await newTalk(world());
    await world().offline.script([ENDLESS]);
    const zombie = await workers.next();
    const turn = await say(world(), talk);
    await untilShown(world(), turn);
    zombie.temporal.cut();
    await world().temporal.workflow.getHandle(turn.id).terminate('by an operator');
    const { output } = await resultOf(world(), turn);
    const sealed = await rowsOf(turn);
    const shown = shownTexts(await readEvents(world().turnkeeper, turn.id));
    expect(output).toMatchObject([{ status: 'incomplete', content: [{ text: shown[0] }] }]);

    await untilRefused(zombie, 'append', turn);
    await untilHungUp();
    expect(await rowsOf(turn)).toEqual(sealed);
    const successor = await workers.next();
    await expectNextTurn(world(), talk);
    workers.keep(successor);
  });

  it('adds nothing to a turn that another worker has completed', async () => {
    const talk = await newTalk(world(), { tools: ['touch'] });
    await world().offline.script([callOf('touch'), answer(ANSWER)]);
    const zombie = await workers.next();
    const reached = zombie.hangAt('runTool: during');
    const turn = await say(world(), talk);
    await reached;
    zombie.pause();
    const successor = await workers.next();
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'completed', answer: ANSWER });
    expect(await closedAs(world(), turn)).toBe('COMPLETED');
    const sealed = await rowsOf(turn);

    zombie.wake();
    await untilRefused(zombie, 'settleTool', turn);
    successor.kill('SIGKILL');
    await expectNextTurn(world(), talk);
    expect(await rowsOf(turn)).toEqual(sealed);
    expect(effectsOf(world(), turn)).toHaveLength(2);
  });
});
