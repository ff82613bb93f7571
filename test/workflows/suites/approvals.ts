import { describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../../src/contracts/json.ts';
import { answer, effectsOf, SOON } from '../../support/talk.ts';
import { endOf, eventTypes, runTurn, startTurn, type TestWorld } from '../../support/turns.ts';
import { asking, untilWaiting } from '../../support/waiting-turns.ts';
import { ANSWER, CLIENT_TOOL, completed, toldTo, waitingIn } from '../waiting.ts';

export function approvals(world: TestWorld): void {
  const { turns, waitingTurn } = waitingIn(world);

  describe('a call that needs approval', () => {
    it('waits, is told to readers, and runs once it is approved', async () => {
      const turn = await waitingTurn({ transfer: { amount: 5 } }, { tools: ['transfer'] });
      expect(await turns().actions(turn.id)).toMatchObject([
        { callId: 'call_transfer', name: 'transfer', kind: 'approval', state: 'pending' },
      ]);
      expect(effectsOf(world.current, turn)).toEqual([]);

      const { status } = await turns().submit(turn.id, {
        approvals: [{ callId: 'call_transfer', approve: true }],
      });
      expect(status).toBe('in_progress');
      const ended = await endOf(world.current, turn);
      expect(ended).toMatchObject(completed);
      expect(effectsOf(world.current, turn)).toEqual([
        { tool: 'transfer', key: `${turn.id}:tool:call_transfer` },
      ]);
      expect(toldTo(ended)).toEqual([['call_transfer', '{"amount":5}']]);
      expect(
        ended.events.find(({ event }) => event.type === 'turn.requires_action')?.event,
      ).toEqual({
        type: 'turn.requires_action',
        calls: [
          {
            call_id: 'call_transfer',
            name: 'transfer',
            kind: 'approval',
            arguments: { amount: 5 },
          },
        ],
        deadline: expect.any(String) as string,
      });
      expect(ended.events.find(({ event }) => event.type === 'turn.action_decided')?.event).toEqual(
        {
          type: 'turn.action_decided',
          call_id: 'call_transfer',
          decision: 'approved',
        },
      );
      expect(await turns().actions(turn.id)).toMatchObject([{ state: 'approved' }]);
    });

    it('does not run once it is denied, and the model is told why', async () => {
      const turn = await waitingTurn({ transfer: { amount: 5 } }, { tools: ['transfer'] });
      await turns().submit(turn.id, {
        approvals: [{ callId: 'call_transfer', approve: false, reason: 'Too much for today.' }],
      });
      const ended = await endOf(world.current, turn);
      expect(ended).toMatchObject(completed);
      expect(effectsOf(world.current, turn)).toEqual([]);
      expect(toldTo(ended)).toMatchObject([
        ['call_transfer', expect.stringMatching(/"denied".*Too much for today\./)],
      ]);
      expect(ended.steps.map(({ key }) => key)).toEqual(['respond:1', 'respond:2']);
    });

    it('runs with the arguments that whoever approved it has made of them, and the model is told', async () => {
      const turn = await waitingTurn({ transfer: { amount: 500 } }, { tools: ['transfer'] });
      const edited = (amount: number, more: JsonObject = {}) =>
        turns().submit(turn.id, {
          approvals: [{ callId: 'call_transfer', approve: true, arguments: { amount, ...more } }],
        });
      await expect(edited(1, { to: 'Ann' })).rejects.toMatchObject({
        details: { mistakes: ['/ must NOT have additional properties: "to"'] },
      });
      await expect(edited(-1)).rejects.toMatchObject({
        code: 'invalid_request',
        details: { field: 'approvals[0].arguments', mistakes: ['/amount must be >= 0'] },
      });
      await edited(50);
      const ended = await endOf(world.current, turn);
      expect(ended).toMatchObject(completed);
      const told = toldTo(ended).map(([, output]) => output)[0] ?? '';
      expect(told).toMatch(/changed its arguments.*\{"amount":50\}/);
      expect(told.endsWith('{"amount":50}')).toBe(true);
      const call = ended.output.find(({ type }) => type === 'function_call');
      expect(call).toMatchObject({ arguments: '{"amount":500}' });
      expect(await turns().actions(turn.id)).toMatchObject([
        { arguments: { amount: 500 }, editedArguments: { amount: 50 } },
      ]);
    });

    it('undoes what the turn has done, where whoever denies it asks for that', async () => {
      const script = [asking({ reserve: {} }), asking({ transfer: {} }), answer(ANSWER)];
      const assistant = { tools: ['reserve', 'transfer'] };
      const turn = await startTurn(world.current, { assistant, script });
      await untilWaiting(world.current, turn);
      await turns().submit(turn.id, {
        approvals: [{ callId: 'call_transfer', approve: false, compensate: true }],
      });
      await endOf(world.current, turn);
      await vi.waitFor(async () => {
        expect((await turns().get(turn.id)).compensation).toBe('closed');
      }, SOON);
      const steps = await turns().steps(turn.id);
      expect(steps.at(-1)).toMatchObject({ key: 'compensate:call_reserve', status: 'completed' });
    });
  });

  describe('a predicate', () => {
    it.each([
      ['lets a call pass of which it says no', { amount: 100 }, false],
      ['holds a call of which it says yes', { amount: 101 }, true],
      ['holds a call on which it throws', {}, true],
    ])('%s', async (_, args, waits) => {
      const script = [asking({ spend: args }), answer(ANSWER)];
      const turn = await startTurn(world.current, { assistant: { tools: ['spend'] }, script });
      if (waits) {
        await untilWaiting(world.current, turn);
        const approvals = [{ callId: 'call_spend', approve: true } as const];
        await turns().submit(turn.id, { approvals });
      }
      const ended = await endOf(world.current, turn);
      expect(ended).toMatchObject(completed);
      expect(eventTypes(ended.events).includes('turn.requires_action')).toBe(waits);
    });

    it('is not asked of arguments that do not fit: the model is told', async () => {
      const turn = await runTurn(world.current, {
        assistant: { tools: ['transfer', 'spend', 'pick_seat'], clientTools: [CLIENT_TOOL] },
        script: [
          asking({
            transfer: { amount: 'all' },
            spend: { amount: -200 },
            pick_seat: { row: 'front' },
            ask_user: {},
          }),
          answer(ANSWER),
        ],
      });
      expect(turn).toMatchObject(completed);
      const errors = toldTo(turn).map(([, output]) => JSON.parse(output) as JsonObject);
      expect(errors).toHaveLength(4);
      for (const { error } of errors) expect(error).toMatchObject({ type: 'invalid_arguments' });
    });

    it('is not asked in the last round, whose calls nobody makes', async () => {
      const turn = await runTurn(world.current, {
        assistant: { tools: ['transfer'], limits: { maxRounds: 1 } },
        script: [asking({ transfer: { amount: 1 } })],
      });
      expect(turn).toMatchObject({ status: 'incomplete', reason: 'max_rounds' });
      expect(eventTypes(turn.events)).not.toContain('turn.requires_action');
    });
  });
}
