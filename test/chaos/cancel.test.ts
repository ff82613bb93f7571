import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import { hasPart } from '../support/require-part.ts';
import { countOf, readEvents, shownTexts } from '../support/reading.ts';
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
import { useWorld } from '../support/use-world.ts';
import type { TestWorker } from '../support/world.ts';

const TEXT = 'Beavers build dams and lodges out of branches.';
/** What is promised for a machine that is not loaded; here it takes a fraction of that. */
const CANCEL_MS = 2_000;

const world = useWorld();
let worker: TestWorker;
beforeAll(async () => {
  if (hasPart('temporal') && hasPart('postgres')) worker = await world().startWorker();
});

/** A client, and a promise of the moment when Temporal has taken its request to cancel. */
async function cancelWatcher(): Promise<{ client: Turnkeeper; taken: Promise<void> }> {
  let tell: () => void = () => undefined;
  const taken = new Promise<void>((resolve) => (tell = resolve));
  const client = await world().client(({ store, starter }) => ({
    store,
    starter: { ...starter, cancel: (id) => starter.cancel(id).then(tell) },
  }));
  return { client, taken };
}

/** When the provider heard that nobody wants the answer: by a request, or as its connection was closed. */
function stoppedAt(generation: 'foreground' | 'background'): Promise<number> {
  return vi.waitFor(async () => {
    const [create, ...others] = await world().offline.journal();
    const cancel = others.find(({ path }) => path.endsWith('/cancel'));
    expect(generation === 'background' ? cancel : create?.aborted).toBeTruthy();
    return cancel?.at ?? Date.now();
  }, SOON);
}

describe('cancelling a turn', { timeout: 120_000 }, () => {
  it('in mid-stream keeps what was shown, counts it, and hangs up on the provider', async () => {
    const talk = await newTalk(world());
    await world().offline.script([heldAnswer(TEXT)]);
    const turn = await say(world(), talk);
    await untilShown(world(), turn);

    expect(await world().turnkeeper.turns.cancel(turn.id)).toMatchObject({ status: 'cancelled' });
    const { status, output, usage } = await resultOf(world(), turn);
    expect(status).toBe('cancelled');
    const events = await readEvents(world().turnkeeper, turn.id);
    const [shown] = shownTexts(events);
    expect(TEXT.startsWith(shown ?? 'nothing')).toBe(true);
    expect(output).toMatchObject([
      { type: 'message', status: 'incomplete', content: [{ type: 'output_text', text: shown }] },
    ]);
    expect(events.at(-1)?.event).toMatchObject({ type: 'turn.done', status: 'cancelled' });
    expect(usage.calls).toMatchObject([{ state: 'abandoned', estimated: true }]);
    expect(usage.outputTokens).toBeGreaterThan(0);
    expect(await closedAs(world(), turn)).toBe('CANCELLED');
    await vi.waitFor(async () => {
      expect(await createsOf(world())).toMatchObject([{ aborted: true }]);
    }, SOON);
    await expectNextTurn(world(), talk);
  });

  it.each(['foreground', 'background'] as const)(
    'reaches the provider, seals what was shown and settles what it cost within two seconds, in the %s',
    async (generation) => {
      const talk = await newTalk(world(), { generation });
      await world().offline.script([heldAnswer(TEXT)]);
      const turn = await say(world(), talk);
      await untilShown(world(), turn);
      const { turns } = world().turnkeeper;

      const askedAt = Date.now();
      const sealed = turns.cancel(turn.id).then(() => Date.now());
      const settled = vi.waitFor(async () => {
        const { calls } = await turns.usage(turn.id);
        expect(calls).toMatchObject([
          { state: 'abandoned', estimated: generation === 'foreground' },
        ]);
        return Date.now();
      }, SOON);
      for (const at of await Promise.all([stoppedAt(generation), sealed, settled]))
        expect(at - askedAt).toBeLessThan(CANCEL_MS);
      const { output } = await resultOf(world(), turn);
      expect(output).toMatchObject([{ type: 'message', status: 'incomplete' }]);
      await expectNextTurn(world(), talk);
    },
  );

  it('while a tool runs stops the tool and tells the model that its outcome is unknown', async () => {
    const talk = await newTalk(world(), { tools: ['linger'] });
    await world().offline.script([callOf('linger')]);
    const turn = await say(world(), talk);
    await untilStreamed(world(), turn, 'turn.tool_progress');

    expect(await world().turnkeeper.turns.cancel(turn.id)).toMatchObject({ status: 'cancelled' });
    const { output } = await resultOf(world(), turn);
    expect(output).toMatchObject([{ type: 'function_call' }, { type: 'function_call_output' }]);
    expect(output[1]?.['output']).toContain('outcome_unknown');
    const [, tool] = await world().turnkeeper.turns.steps(turn.id);
    expect(tool).toMatchObject({ status: 'closed', tool: { outcome: 'unknown' } });
    await vi.waitFor(() => {
      const effects = effectsOf(world(), turn).map(({ tool: name }) => name);
      expect(effects).toEqual(['linger', 'linger: stopped']);
    }, SOON);
    expect(await closedAs(world(), turn)).toBe('CANCELLED');
    await expectNextTurn(world(), talk);
  });

  it('that was accepted and never started seals it, and it is not started any more', async () => {
    const talk = await newTalk(world());
    await world().offline.script([]);
    const caller = await world().client(({ store, starter }) => ({
      store,
      starter: { ...starter, startTurn: () => Promise.reject(new Error('no way to Temporal')) },
    }));
    const turn = await caller.turns.start({ ...talk, input: 'Hello?' });

    expect(await caller.turns.cancel(turn.id)).toMatchObject({
      state: 'sealed',
      status: 'cancelled',
      startedAt: null,
    });
    await expectNextTurn(world(), talk);
    expect(await caller.turns.get(turn.id)).toMatchObject({ status: 'cancelled', startedAt: null });
  });

  it('whose start was not marked ends its workflow as well', async () => {
    const talk = await newTalk(world());
    await world().offline.script([heldAnswer(TEXT)]);
    const caller = await world().client(({ store, starter }) => {
      const turns = { ...store.turns, markStarted: () => Promise.reject(new Error('gone')) };
      return { starter, store: { ...store, turns } };
    });
    const turn = await caller.turns.start({ ...talk, input: 'Hello?' });
    await untilShown(world(), turn);

    expect(await caller.turns.cancel(turn.id)).toMatchObject({ status: 'cancelled' });
    expect(await closedAs(world(), turn)).toBe('CANCELLED');
    await expectNextTurn(world(), talk);
  });

  it('twice at once, and once more, ends it once', async () => {
    const talk = await newTalk(world());
    await world().offline.script([heldAnswer(TEXT)]);
    const turn = await say(world(), talk);
    await untilShown(world(), turn);

    const { turns } = world().turnkeeper;
    const answers = await Promise.all([turns.cancel(turn.id), turns.cancel(turn.id)]);
    answers.push(await turns.cancel(turn.id));
    for (const cancelled of answers) expect(cancelled).toMatchObject({ status: 'cancelled' });
    expect(countOf(await readEvents(world().turnkeeper, turn.id), 'turn.done')).toBe(1);
    expect(await closedAs(world(), turn)).toBe('CANCELLED');
    await expectNextTurn(world(), talk);
  });

  it('that is just being closed changes nothing: it stays completed', async () => {
    const talk = await newTalk(world());
    await world().offline.script([answer(TEXT)]);
    const reached = worker.hangAt('closeTurn: before');
    const turn = await say(world(), talk);
    await reached;
    const { client, taken } = await cancelWatcher();
    const cancelling = client.turns.cancel(turn.id);
    await taken;
    worker.letGo();

    expect(await cancelling).toMatchObject({ status: 'completed' });
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'completed', answer: TEXT });
    expect(countOf(await readEvents(world().turnkeeper, turn.id), 'turn.done')).toBe(1);
    expect(await closedAs(world(), turn)).toBe('COMPLETED');
    expect(await createsOf(world())).toHaveLength(1);
    await expectNextTurn(world(), talk);
  });
});
