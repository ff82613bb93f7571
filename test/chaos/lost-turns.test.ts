import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { SharedPorts } from '../../src/compose.ts';
import type { Turn } from '../../src/contracts/store.ts';
import { sweepOnce } from '../../src/recovery/sweep.ts';
import { hasPart } from '../support/require-part.ts';
import { countOf, readEvents, shownTexts } from '../support/reading.ts';
import {
  answer,
  closedAs,
  createsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  resultOf,
  say,
  SOON,
  untilShown,
  type Talk,
} from '../support/talk.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { useWorld } from '../support/use-world.ts';

const ANSWER = 'Beavers build dams and lodges out of branches.';
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const world = useWorld();
beforeAll(async () => {
  if (hasPart('temporal') && hasPart('postgres')) await world().startWorker();
});

/** One answer, one request, one end, and a conversation that goes on. */
async function expectOneTurn(talk: Talk, turn: Turn): Promise<void> {
  expect(await resultOf(world(), turn)).toMatchObject({ status: 'completed', answer: ANSWER });
  const events = await readEvents(world().turnkeeper, turn.id);
  expect(shownTexts(events)).toEqual([ANSWER]);
  expect(countOf(events, 'turn.started')).toBe(1);
  expect(countOf(events, 'turn.done')).toBe(1);
  expect(await createsOf(world())).toHaveLength(1);
  expect(await closedAs(world(), turn)).toBe('COMPLETED');
  await expectNextTurn(world(), talk);
}

describe('a turn that was accepted', { timeout: 120_000 }, () => {
  it('is started by whoever wants to start the next one', async () => {
    const talk = await newTalk(world());
    await world().offline.script([heldAnswer(ANSWER)]);
    const turn = await brokenCaller().then((caller) => caller.turns.start({ ...talk, input: '?' }));

    await expect(say(world(), talk)).rejects.toMatchObject({
      code: 'conversation_busy',
      details: { activeTurn: turn.id },
    });
    expect(await world().turnkeeper.turns.get(turn.id)).toMatchObject({ state: 'started' });
    await untilShown(world(), turn);
    await world().offline.release();
    await expectOneTurn(talk, turn);
  });

  it('is accepted though Temporal cannot be reached, and started when it can', async () => {
    const talk = await newTalk(world());
    await world().offline.script([answer(ANSWER)]);
    const proxy = await startTcpProxy(world().env['TEMPORAL_ADDRESS'] ?? '');
    const caller = await world().client(undefined, { TEMPORAL_ADDRESS: proxy.address });
    proxy.cut();
    const turn = await caller.turns.start({ ...talk, input: 'Is anybody there?' });
    expect(turn).toMatchObject({ state: 'accepted' });
    await expectOneTurn(talk, turn);
    await proxy.stop();
  });

  it('is started once by sweeps that find it at the same time', async () => {
    const talk = await newTalk(world());
    await world().offline.script([answer(ANSWER)]);
    const parts = { ...(await realPorts()), logger: silent };
    const turn = await brokenCaller().then((caller) => caller.turns.start({ ...talk, input: '?' }));
    await world().sql(
      "UPDATE turnkeeper.turns SET accepted_at = now() - interval '1 minute' WHERE id = $1",
      [turn.id],
    );

    const sweeps = await Promise.all([sweepOnce(parts), sweepOnce(parts), sweepOnce(parts)]);
    expect(sweeps.map(({ failed }) => failed)).toEqual([0, 0, 0]);
    await expectOneTurn(talk, turn);
  });

  it('is one turn for clients that start it under the same key at the same time', async () => {
    const talk = await newTalk(world());
    await world().offline.script([answer(ANSWER)]);
    const other = await world().client();
    const request = { ...talk, input: 'Hello?', idempotencyKey: 'the-same' };
    const started = await Promise.all(
      [world().turnkeeper, other, world().turnkeeper, other].map((client) =>
        client.turns.start(request),
      ),
    );
    const [turn] = started as [Turn];
    expect(started.map(({ id }) => id)).toEqual(started.map(() => turn.id));
    expect((await world().turnkeeper.turns.list(talk.conversationId)).data).toHaveLength(1);
    await expectOneTurn(talk, turn);
  });
});

/** A backend that cannot start workflows: its turns stay accepted. */
function brokenCaller(): Promise<Turnkeeper> {
  return world().client(({ store, starter }) => ({
    store,
    starter: { ...starter, startTurn: () => Promise.reject(new Error('no way to Temporal')) },
  }));
}

async function realPorts(): Promise<SharedPorts> {
  const ports: SharedPorts[] = [];
  await world().client((real) => {
    ports.push(real);
    return real;
  });
  return ports[0] as SharedPorts;
}

describe('a turn whose workflow does not end it', { timeout: 120_000 }, () => {
  /** A turn in mid-stream, for ever. */
  async function stuckTurn(talk: Talk): Promise<Turn> {
    await world().offline.script([heldAnswer(ANSWER)]);
    const turn = await say(world(), talk);
    await untilShown(world(), turn);
    return turn;
  }

  /** What readers saw is kept, and nobody waits for the model any more. */
  async function expectCleanedUp(turn: Turn): Promise<void> {
    const { output } = await resultOf(world(), turn);
    const [text] = shownTexts(await readEvents(world().turnkeeper, turn.id));
    expect(output).toMatchObject([{ status: 'incomplete', content: [{ text }] }]);
    await vi.waitFor(async () => {
      expect((await createsOf(world()))[0]).toMatchObject({ aborted: true });
    }, SOON);
  }

  it('because it was terminated is ended by whoever starts the next one', async () => {
    const talk = await newTalk(world());
    const turn = await stuckTurn(talk);
    await world().temporal.workflow.getHandle(turn.id).terminate('by an operator');
    await vi.waitFor(async () => {
      expect((await createsOf(world()))[0]).toMatchObject({ aborted: true });
    }, SOON);
    expect(await world().turnkeeper.turns.get(turn.id)).toMatchObject({ state: 'started' });

    await expectNextTurn(world(), talk);
    expect(await world().turnkeeper.turns.get(turn.id)).toMatchObject({
      status: 'failed',
      reason: 'workflow_lost',
    });
  });

  it('because it was terminated is ended by whoever waits for it', async () => {
    const talk = await newTalk(world());
    const turn = await stuckTurn(talk);
    await world().temporal.workflow.getHandle(turn.id).terminate('by an operator');
    expect(await resultOf(world(), turn)).toMatchObject({
      status: 'failed',
      reason: 'workflow_lost',
    });
    await expectCleanedUp(turn);
    await expectNextTurn(world(), talk);
  });

  it('a minute past its deadline is ended by a sweep, and its workflow terminated', async () => {
    const talk = await newTalk(world());
    const turn = await stuckTurn(talk);
    await world().sql(
      "UPDATE turnkeeper.turns SET deadline = now() - interval '61 seconds' WHERE id = $1",
      [turn.id],
    );
    expect(await closedAs(world(), turn)).toBe('TERMINATED');
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'expired' });
    await expectCleanedUp(turn);
    await expectNextTurn(world(), talk);
  });
});
