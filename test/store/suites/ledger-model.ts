import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StepRefused } from '../../../src/contracts/store.ts';
import type { Store } from '../../../src/contracts/store.ts';
import type { Ending } from '../../../src/contracts/turn.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  answer,
  appendOne,
  attemptOf,
  beginRespond,
  beginTool,
  itemsOf,
  outputsOf,
  response,
  story,
  toolResult,
  turnWithCalls,
  type TurnAt,
} from '../fixtures.ts';

const STEPS = ['respond:2', 'tool:a', 'tool:b'] as const;
type StepKey = (typeof STEPS)[number];

interface StepModel {
  /** The attempt that holds it. */
  holder: number;
  attempts: number;
  status: 'open' | 'completed' | 'failed' | 'closed';
  /** What the holder has shown. */
  shown: string[];
}

/** The ledger as the design tells it. */
class Ledger {
  sealed: string | null = null;
  readonly events: string[] = ['turn.started', 'respond:1 started', 'respond:1 completed'];
  readonly steps = new Map<StepKey, StepModel>();
  /** Texts of messages in order. */
  readonly messages: string[] = [];
  readonly outputs = new Map<string, string>();

  begin(key: StepKey, attempt: number): string {
    if (this.sealed) return 'turn_sealed';
    const known = this.steps.get(key);
    if (known?.status === 'completed' || known?.status === 'failed')
      return `settled ${known.status}`;
    if (known && attempt < known.holder) return 'step_fenced';
    if (key === 'respond:2' && known && known.shown.length > 0) this.events.push('turn.rewind');
    if (!known) this.events.push(`${key} started`);
    const attempts = known?.attempts ?? 0;
    this.steps.set(key, { holder: attempt, attempts: attempts + 1, status: 'open', shown: [] });
    return `open after ${attempts}`;
  }

  append(key: StepKey, attempt: number, position: number, texts: string[]): string {
    const step = this.steps.get(key);
    const lands =
      step?.status === 'open' && step.holder === attempt && step.shown.length === position;
    if (!lands) return 'refused';
    step.shown.push(...texts);
    this.events.push(...texts);
    return 'landed';
  }

  /** Null when the attempt may write. */
  #refusal(key: StepKey, attempt: number): string | null {
    const step = this.steps.get(key);
    if (!step) return 'store_rolled_back';
    if (step.status === 'closed') return 'turn_sealed';
    if (step.holder !== attempt) return 'step_fenced';
    return step.status === 'open' ? null : 'done';
  }

  settle(key: StepKey, attempt: number): string {
    const refusal = this.#refusal(key, attempt);
    if (refusal) return refusal;
    this.#end(key, 'completed');
    if (key === 'respond:2') {
      this.messages.push(`settled by ${attempt}`);
      this.events.push('last');
    } else this.outputs.set(key, `settled by ${attempt}`);
    this.events.push(`${key} completed`);
    return 'done';
  }

  fail(key: StepKey, attempt: number): string {
    const refusal = this.#refusal(key, attempt);
    if (refusal) return refusal;
    const shown = this.steps.get(key)?.shown.length ?? 0;
    this.#end(key, 'failed');
    if (shown > 0) this.events.push('turn.rewind');
    this.events.push(`${key} failed`);
    return 'done';
  }

  #end(key: StepKey, status: StepModel['status']): void {
    const step = this.steps.get(key);
    if (step) step.status = status;
  }

  seal(status: string): string {
    if (this.sealed) return `${this.sealed} again`;
    for (const [key, step] of this.steps) {
      if (step.status !== 'open') continue;
      step.status = 'closed';
      if (key !== 'respond:2') this.outputs.set(key, 'outcome_unknown');
      else if (step.shown.length > 0) this.messages.push(step.shown.join(''));
    }
    for (const key of ['tool:a', 'tool:b']) {
      if (!this.outputs.has(key)) this.outputs.set(key, 'not_started');
    }
    this.sealed = status;
    this.events.push('turn.done');
    return status;
  }
}

interface Real {
  store: Store;
  turn: TurnAt;
}

/** Does the same to the model and to the store, and expects the same answer. */
function command(
  name: string,
  onModel: (ledger: Ledger) => string,
  onStore: (real: Real) => Promise<string>,
): fc.AsyncCommand<Ledger, Real> {
  return {
    check: () => true,
    async run(ledger, real) {
      const expected = onModel(ledger);
      const answer = await onStore(real).catch((error: unknown) => {
        if (error instanceof StepRefused) return error.reason;
        throw error;
      });
      expect(answer, name).toBe(expected);
    },
    toString: () => name,
  };
}

const begin = (key: StepKey, n: number) =>
  command(
    `${n} begins ${key}`,
    (ledger) => ledger.begin(key, n),
    async ({ store, turn }) => {
      const ref = attemptOf(turn, key, n);
      const begun =
        key === 'respond:2'
          ? await beginRespond(store, ref)
          : await beginTool(store, ref, key.slice(5));
      return begun.state === 'open'
        ? `open after ${begun.earlierAttempts}`
        : `settled ${begun.status}`;
    },
  );

const append = (key: StepKey, n: number, position: number, count: number) => {
  const texts = Array.from({ length: count }, (_, i) => `${key}/${n}/${position + i} `);
  return command(
    `${n} appends ${count} behind ${position} to ${key}`,
    (ledger) => ledger.append(key, n, position, texts),
    async ({ store, turn }) => {
      const refused = await appendOne(store, attemptOf(turn, key, n), position, ...texts);
      return refused.length > 0 ? 'refused' : 'landed';
    },
  );
};

const settle = (key: StepKey, n: number) =>
  command(
    `${n} settles ${key}`,
    (ledger) => ledger.settle(key, n),
    async ({ store: { steps }, turn }) => {
      const ref = attemptOf(turn, key, n);
      const text = `settled by ${n}`;
      const last = [{ type: 'last' }];
      if (key === 'respond:2')
        await steps.settleResponse(ref, response([answer(text)], { events: last }));
      else await steps.settleTool(ref, toolResult(key.slice(5), text));
      return 'done';
    },
  );

const fail = (n: number) =>
  command(
    `${n} gives respond:2 up`,
    (ledger) => ledger.fail('respond:2', n),
    async ({ store, turn }) => {
      const ref = attemptOf(turn, 'respond:2', n);
      await store.steps.settleFailure(ref, { reason: 'server_error', message: '' });
      return 'done';
    },
  );

const seal = (ending: Ending) =>
  command(
    `the turn is ${ending.status}`,
    (ledger) => ledger.seal(ending.status),
    async ({ store, turn }) => {
      const sealed = await store.turns.seal(turn.tenant, turn.turnId, ending);
      return sealed ? `${sealed.status}${sealed.won ? '' : ' again'}` : 'refused';
    },
  );

const step = fc.constantFrom(...STEPS);
const attempt = fc.integer({ min: 1, max: 3 });
const small = fc.integer({ min: 0, max: 2 });
const endings: Ending[] = [{ status: 'completed' }, { status: 'cancelled' }];

const anything = fc.commands(
  [
    fc.tuple(step, attempt).map(([key, n]) => begin(key, n)),
    fc.tuple(step, attempt, small, small).map((args) => append(...args)),
    fc.tuple(step, attempt).map(([key, n]) => begin(key, n)),
    fc.tuple(step, attempt, fc.constant(0), small).map((args) => append(...args)),
    fc.tuple(step, attempt).map(([key, n]) => settle(key, n)),
    attempt.map(fail),
    fc.constantFrom(...endings).map(seal),
  ],
  { maxCommands: 30 },
);

export function ledgerModel(database: TestDatabase): void {
  test('answers and ends as the design tells it', async () => {
    const property = fc.asyncProperty(anything, async (commands) => {
      const { store } = database;
      const ledger = new Ledger();
      const turn = await turnWithCalls(store, 'a', 'b');
      await fc.asyncModelRun(() => ({ model: ledger, real: { store, turn } }), commands);
      if (!ledger.sealed) {
        ledger.seal('cancelled');
        await store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' });
      }
      expect(await story(store, turn)).toEqual(ledger.events);
      expect(await messagesOf(store, turn)).toEqual(ledger.messages);
      expect(await outputsOf(store, turn)).toEqual(
        ['a', 'b'].map((callId) => [
          callId,
          expect.stringContaining(ledger.outputs.get(`tool:${callId}`) ?? '') as unknown,
        ]),
      );
    });
    await fc.assert(property, { seed: 20_260, numRuns: 60 });
  });
}

async function messagesOf(store: Store, turn: TurnAt): Promise<unknown[]> {
  const items = await itemsOf(store, turn);
  const contents = items.filter(({ role }) => role === 'assistant').map(({ content }) => content);
  return contents.map((content) => (content as { text: string }[])[0]?.text);
}
