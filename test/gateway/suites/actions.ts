import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/contracts/json.ts';
import { answer } from '../../support/talk.ts';
import { asking, untilWaiting } from '../../support/waiting-turns.ts';
import { ASSISTANT, OTHER, type Resources } from '../resources.ts';
import { refusal } from '../use-gateway.ts';

export function actionRoutes({ ask, created, world }: Resources): void {
  describe('a turn that waits for its caller', () => {
    const ANY_KEYS = '{"colour":"blue","__proto__":{"sizes":[1]},"constructor":{"prototype":"2"}}';
    const tool = { name: 'ask_user', description: 'Asks.', parameters: { type: 'object' } };

    async function waiting() {
      const definition = { ...ASSISTANT, clientTools: [tool], tools: ['transfer'] };
      const assistantId = await created('/api/assistants', definition);
      const conversationId = await created('/api/conversations', {});
      await world().offline.script([
        asking({ ask_user: { question: 'Which?' }, transfer: { amount: 5 } }),
        answer('Done.'),
      ]);
      const input = { assistantId, input: 'Go.' };
      const id = await created(`/api/conversations/${conversationId}/turns`, input);
      await untilWaiting(world(), { id });
      return `/api/turns/${id}`;
    }

    it('tells what it waits for, and goes on with what is submitted', async () => {
      const turn = await waiting();
      expect(await ask('GET', `${turn}/actions`)).toMatchObject({
        status: 200,
        body: {
          data: [
            { callId: 'call_ask_user', kind: 'outputs', arguments: { question: 'Which?' } },
            { callId: 'call_transfer', kind: 'approval', state: 'pending' },
          ],
        },
      });
      const body = {
        outputs: [{ callId: 'call_ask_user', output: JSON.parse(ANY_KEYS) as JsonObject }],
        approvals: [{ callId: 'call_transfer', approve: true, arguments: { amount: 4 } }],
      };
      const submitted = await ask('POST', `${turn}/submit`, { body });
      expect(submitted).toMatchObject({ status: 200, body: { status: 'in_progress' } });
      expect((await ask('POST', `${turn}/submit`, { body })).status).toBe(200);
      const { body: result } = await ask('GET', `${turn}/result?waitMs=60000`);
      expect(result).toMatchObject({ status: 'completed', answer: 'Done.' });
      const outputs = JSON.stringify(result['output']);
      expect(outputs).toContain(JSON.stringify(ANY_KEYS));
    });

    it('refuses what does not fit, and another tenant', async () => {
      const turn = await waiting();
      const submit = (body: unknown, headers = {}) =>
        ask('POST', `${turn}/submit`, { body, headers });
      const outputs = [{ callId: 'call_ask_user', output: 'blue' }];
      const edited = { callId: 'call_transfer', approve: true, arguments: { amount: 'much' } };
      const details = {
        field: 'approvals[0].arguments',
        mistakes: ['/amount must be number'],
      };
      expect(await submit({ outputs, approvals: [edited] })).toMatchObject({
        status: 400,
        body: refusal('invalid_request', details),
      });
      expect(await submit({})).toMatchObject({ status: 400, body: refusal('invalid_request') });
      expect(await submit({ outputs: [...outputs, ...outputs] })).toMatchObject({ status: 400 });
      expect(await submit({ outputs })).toMatchObject({
        status: 409,
        body: refusal('actions_missing', { missing: ['call_transfer'] }),
      });
      expect(await submit({ outputs: [{ callId: 'x', output: 1 }], partial: true })).toMatchObject({
        status: 404,
        body: refusal('action_not_found', { callId: 'x' }),
      });
      const large = [{ callId: 'call_ask_user', output: 'x'.repeat(262_145) }];
      expect(await submit({ outputs: large, partial: true })).toMatchObject({
        status: 413,
        body: refusal('input_too_large', { limit: 'output' }),
      });
      expect(await submit({ outputs, partial: true }, OTHER)).toMatchObject({
        status: 404,
        body: refusal('turn_not_found'),
      });
      expect((await ask('GET', `${turn}/actions`, { headers: OTHER })).status).toBe(404);
      expect(await submit({ outputs, partial: true })).toMatchObject({ status: 200 });
      const otherwise = [{ callId: 'call_ask_user', output: 'red' }];
      expect(await submit({ outputs: otherwise, partial: true })).toMatchObject({
        status: 409,
        body: refusal('submission_conflict', { callId: 'call_ask_user' }),
      });
      await ask('POST', `${turn}/cancel`);
      const approvals = [{ callId: 'call_transfer', approve: true }];
      expect(await submit({ approvals })).toMatchObject({
        status: 409,
        body: refusal('turn_not_waiting', { status: 'cancelled' }),
      });
    });
  });
}
