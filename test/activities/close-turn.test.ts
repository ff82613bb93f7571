import { describe, expect, it, vi } from 'vitest';
import { createCloseTurn } from '../../src/activities/close-turn.ts';
import type { TurnStarter } from '../../src/contracts/starter.ts';
import type { Sealed, Store, TurnStore } from '../../src/contracts/store.ts';
import type { Ending, TurnInput } from '../../src/contracts/turn.ts';
import { attemptOf, modelOf, silent, TURN } from './stand-ins.ts';

const SEALED: Sealed = {
  status: 'completed',
  reason: null,
  won: true,
  durationMs: 1_200,
  abandonedCalls: [],
  interruptedTools: [],
  next: null,
  compensate: null,
  summarize: null,
};

const RUNNING = { callId: 'call', model: 'small', background: true, responseId: 'resp_1' };

function close(sealed: Sealed | null, ending: Ending = { status: 'completed' }) {
  const turns = {
    seal: vi.fn<TurnStore['seal']>(async () => sealed),
    markStarted: vi.fn<TurnStore['markStarted']>(async () => undefined),
    settleAbandoned: vi.fn<TurnStore['settleAbandoned']>(async () => undefined),
    markStopped: vi.fn<TurnStore['markStopped']>(async () => undefined),
  };
  const starter = { startTurn: vi.fn<TurnStarter['startTurn']>(async () => undefined) };
  const logger = { ...silent, info: vi.fn(), warn: vi.fn() };
  const model = modelOf(async function* () {
    yield* [];
  });
  const closeTurn = createCloseTurn({
    store: { turns } as unknown as Store,
    starter: starter as unknown as TurnStarter,
    model,
    logger,
  });
  const outcome = attemptOf()
    .run(closeTurn, { ...TURN, ending })
    .catch((error: unknown) => error);
  return { outcome, turns, starter, model, logger };
}

describe('closing a turn', () => {
  it('answers how it ended, also when somebody else had ended it otherwise', async () => {
    const lost: Sealed = {
      status: 'failed',
      reason: 'workflow_lost',
      won: false,
      durationMs: 1_200,
      abandonedCalls: [],
      interruptedTools: [],
      next: null,
      compensate: null,
      summarize: null,
    };
    const { outcome, logger } = close(lost);
    expect(await outcome).toEqual({ status: 'failed', reason: 'workflow_lost' });
    expect(logger.info).not.toHaveBeenCalled();
  });

  it('writes one line about the turn', async () => {
    const { outcome, logger } = close(SEALED);
    await outcome;
    const fields = { tenant: TURN.tenant, turn: TURN.turnId, status: 'completed', reason: null };
    expect(logger.info.mock.calls).toEqual([['turn', fields]]);
  });

  it('tells of tool calls that were under way, a repeat too', async () => {
    const step = 'tool:c1';
    const policy = 'at-most-once';
    for (const won of [true, false]) {
      const interruptedTools = [{ step, name: 'pay', policy } as const];
      const { outcome, logger } = close({ ...SEALED, status: 'failed', won, interruptedTools });
      await outcome;
      const fields = { tenant: TURN.tenant, turn: TURN.turnId, step, tool: 'pay', policy };
      expect(logger.warn.mock.calls).toEqual([
        ['tool interrupted', { ...fields, status: 'failed' }],
      ]);
    }
  });

  it('starts the turn that waited for it, a repeat too', async () => {
    const next = { tenant: TURN.tenant, turnId: 'turn-2' } as TurnInput;
    for (const won of [true, false]) {
      const { outcome, starter, turns } = close({ ...SEALED, won, next });
      expect(await outcome).toEqual({ status: 'completed', reason: null });
      expect(starter.startTurn).toHaveBeenCalledWith(next);
      expect(turns.markStarted).toHaveBeenCalledWith(TURN.tenant, 'turn-2');
    }
  });

  it('as expired is tried again when the database’s clock is behind', async () => {
    const { outcome, turns } = close(null, { status: 'expired' });
    expect(await outcome).toMatchObject({ type: 'unavailable', nonRetryable: false });
    // A turn whose own time is up may be waiting for its caller.
    expect(turns.seal.mock.calls[0]?.[2]).toEqual({ status: 'expired', whileWaiting: true });
  });

  it('gives the database a message that it can keep', async () => {
    const { outcome, turns } = close(SEALED, {
      status: 'failed',
      reason: 'x',
      message: 'a\u0000b',
    });
    await outcome;
    expect(turns.seal.mock.calls[0]?.[2]).toMatchObject({ message: 'a\ufffdb' });
  });

  it('stops what the provider goes on generating, and counts it as the provider does', async () => {
    const { outcome, model, turns } = close({
      ...SEALED,
      abandonedCalls: [
        RUNNING,
        { ...RUNNING, responseId: null },
        { ...RUNNING, background: false, responseId: 'resp_2' },
      ],
    });
    const usage = { input_tokens: 40, output_tokens: 9 };
    model.cancel.mockResolvedValueOnce({ id: 'resp_1', model: 'small-2', usage });
    turns.settleAbandoned.mockRejectedValueOnce(new Error('The database is away.'));
    expect(await outcome).toMatchObject({ status: 'completed' });
    expect(model.cancel.mock.calls).toEqual([[{ id: 'resp_1', model: 'small' }]]);
    expect(turns.settleAbandoned.mock.calls).toMatchObject([
      [TURN.tenant, TURN.turnId, 'call', { model: 'small-2', inputTokens: 40, outputTokens: 9 }],
    ]);
  });

  it('counts nothing when the provider does not say what a stopped response has cost', async () => {
    const { outcome, model, turns } = close({ ...SEALED, abandonedCalls: [RUNNING] });
    await outcome;
    expect(model.cancel).toHaveBeenCalledOnce();
    expect(turns.settleAbandoned).not.toHaveBeenCalled();
    expect(turns.markStopped.mock.calls).toEqual([[TURN.tenant, TURN.turnId, 'call']]);
  });

  it('says so when the provider could not be told, and leaves it to the sweep', async () => {
    const { outcome, model, turns, logger } = close({ ...SEALED, abandonedCalls: [RUNNING] });
    model.cancel.mockRejectedValueOnce(new Error('The model server answered 500.'));
    expect(await outcome).toMatchObject({ status: 'completed' });
    const { tenant, turnId: turn } = TURN;
    const fields = { tenant, turn, response: 'resp_1', error: 'The model server answered 500.' };
    expect(logger.warn.mock.calls).toEqual([['response not stopped', fields]]);
    expect(turns.settleAbandoned).not.toHaveBeenCalled();
    expect(turns.markStopped).not.toHaveBeenCalled();
  });

  it('tells the provider though Temporal does not take the next turn', async () => {
    const next = { tenant: TURN.tenant, turnId: 'turn-2' } as TurnInput;
    const { outcome, model, starter } = close({ ...SEALED, next, abandonedCalls: [RUNNING] });
    starter.startTurn.mockRejectedValueOnce(new Error('Temporal is away.'));
    expect(await outcome).toBeInstanceOf(Error);
    expect(model.cancel).toHaveBeenCalledWith({ id: 'resp_1', model: 'small' });
  });
});
