import { describe, expect, it, vi } from 'vitest';
import type { Turn } from '../../src/contracts/store.ts';
import type { JournalEntry } from '../../src/dev/offline-model/journal.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { countOf, readEvents, shownTexts } from '../support/reading.ts';
import {
  closedAs,
  createsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  REAL_USAGE,
  resultOf,
  say,
  SOON,
  untilShown,
  type Talk,
} from '../support/talk.ts';
import { useWorkers } from '../support/use-workers.ts';
import { useWorld } from '../support/use-world.ts';

const TEXT = 'Beavers build dams and lodges out of branches.';
/** Of the one worker whose model falls silent. */
const IDLE_TIMEOUT_MS = '4000';

const world = useWorld();
const workers = useWorkers(() => world().startWorker());

/** Starts a turn in the background, and waits until readers were shown the beginning of the answer. */
async function speaking(step: ScriptStep): Promise<{ talk: Talk; turn: Turn }> {
  const talk = await newTalk(world(), { generation: 'background' });
  await world().offline.script([step]);
  const turn = await say(world(), talk);
  await untilShown(world(), turn);
  return { talk, turn };
}

async function requests(method: string, path: RegExp): Promise<JournalEntry[]> {
  const entries = await world().offline.journal();
  return entries.filter((entry) => entry.method === method && path.test(entry.path));
}

const resumes = () => requests('GET', /starting_after=\d+/);
const cancels = () => requests('POST', /\/cancel$/);

/** One request, and all of its answer shown once. */
async function expectWhole(turn: Turn): Promise<void> {
  const { status, answer, usage } = await resultOf(world(), turn);
  expect([status, answer]).toEqual(['completed', TEXT]);
  expect(usage.calls).toMatchObject([{ state: 'completed', background: true, ...REAL_USAGE }]);
  const events = await readEvents(world().turnkeeper, turn.id);
  expect(shownTexts(events)).toEqual([TEXT]);
  expect(countOf(events, 'turn.rewind')).toBe(0);
  expect(await createsOf(world())).toHaveLength(1);
}

/** What was shown is kept, and costs what the provider says that it has cost. */
async function expectStopped(turn: Turn): Promise<void> {
  const events = await readEvents(world().turnkeeper, turn.id);
  const [shown = 'nothing'] = shownTexts(events);
  expect(TEXT.startsWith(shown)).toBe(true);
  const { output } = await resultOf(world(), turn);
  expect(output).toMatchObject([
    { type: 'message', status: 'incomplete', content: [{ type: 'output_text', text: shown }] },
  ]);
  await vi.waitFor(async () => {
    const { calls } = await world().turnkeeper.turns.usage(turn.id);
    expect(calls).toMatchObject([{ state: 'abandoned', estimated: false, ...REAL_USAGE }]);
  }, SOON);
  const [create] = await createsOf(world());
  const paths = (await cancels()).map(({ path }) => path);
  expect(paths).toContain(`/v1/responses/${String(create?.responseId)}/cancel`);
}

describe('an answer that is generated in the background', { timeout: 120_000 }, () => {
  it('is gone on with when its connection fell silent', async () => {
    const env = { TURNKEEPER_MODEL_IDLE_TIMEOUT_MS: IDLE_TIMEOUT_MS };
    const worker = await world().startWorker({ env });
    const { talk, turn } = await speaking(heldAnswer(TEXT));
    await vi.waitFor(async () => expect(await resumes()).not.toEqual([]), SOON);
    await world().offline.release();
    await expectWhole(turn);
    await expectNextTurn(world(), talk);
    worker.kill('SIGKILL');
    await worker.exited;
  });

  it('is gone on with when its connection was cut, by the same attempt', async () => {
    const worker = await workers.next();
    const cut: ScriptStep = { kind: 'cut', text: TEXT, afterDeltas: 3, usage: REAL_USAGE };
    const { talk, turn } = await speaking(cut);
    await expectWhole(turn);
    expect(await resumes()).not.toEqual([]);
    expect(await world().turnkeeper.turns.steps(turn.id)).toMatchObject([{ attempts: 1 }]);
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });

  it('is stopped at the provider when its turn is cancelled, and counted as it was stopped', async () => {
    const worker = await workers.next();
    const { talk, turn } = await speaking(heldAnswer(TEXT));
    const { turns } = world().turnkeeper;
    expect(await turns.cancel(turn.id)).toMatchObject({ status: 'cancelled' });
    await expectStopped(turn);
    expect(await closedAs(world(), turn)).toBe('CANCELLED');
    await vi.waitFor(async () => {
      expect(await createsOf(world())).toMatchObject([{ finished: true }]);
    }, SOON);
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });

  it('is stopped as well when the worker that listened is dead', async () => {
    const listener = await workers.next();
    const { talk, turn } = await speaking(heldAnswer(TEXT));
    listener.kill('SIGKILL');
    await listener.exited;
    const cancelling = world().turnkeeper.turns.cancel(turn.id);
    const worker = await workers.next();
    await cancelling;
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'cancelled' });
    await expectStopped(turn);
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });

  it('is stopped when its workflow was terminated, and a client has ended the turn', async () => {
    const worker = await workers.next();
    const { talk, turn } = await speaking(heldAnswer(TEXT));
    await world().temporal.workflow.getHandle(turn.id).terminate('by an operator');
    // Its attempt has given up, and left it to whoever goes on.
    await vi.waitFor(async () => {
      expect(await createsOf(world())).toMatchObject([{ aborted: true }]);
    }, SOON);
    expect(await cancels()).toEqual([]);
    expect(await resultOf(world(), turn)).toMatchObject({ reason: 'workflow_lost' });
    await expectStopped(turn);
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });

  it('is stopped when the worker that ended the turn was killed before it told the provider', async () => {
    const listener = await workers.next();
    const { talk, turn } = await speaking(heldAnswer(TEXT));
    listener.kill('SIGKILL');
    await listener.exited;
    const cancelling = world().turnkeeper.turns.cancel(turn.id);
    const sealer = await world().startWorker({ hangAt: 'closeTurn: sealed' });
    await sealer.reached;
    sealer.kill('SIGKILL');
    await sealer.exited;
    await cancelling;
    expect(await world().turnkeeper.turns.get(turn.id)).toMatchObject({ status: 'cancelled' });
    expect(await cancels()).toEqual([]);
    const worker = await workers.next();
    await expectStopped(turn);
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });

  it('is stopped by its worker when somebody else has ended the turn', async () => {
    const worker = await workers.next();
    const { talk, turn } = await speaking(heldAnswer(TEXT));
    await world().sql(
      `UPDATE turnkeeper.turns SET deadline = now() - interval '2 minutes' WHERE id = $1`,
      [turn.id],
    );
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'expired' });
    await expectStopped(turn);
    expect(await closedAs(world(), turn)).toBe('TERMINATED');
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });
});
