import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { answer, heldAnswer, untilShown } from '../../support/talk.ts';
import { OTHER, type Resources } from '../resources.ts';
import { refusal } from '../use-gateway.ts';

export function turnRoutes({ ask, created, ended, talk, world }: Resources): void {
  describe('conversations and turns', () => {
    it('are started, followed and read back', async () => {
      const { id, conversationId, turns } = await ended('Forty-two.');
      const conversation = `/api/conversations/${conversationId}`;
      expect((await ask('GET', conversation)).body).toMatchObject({ activeTurn: null });
      expect((await ask('GET', '/api/conversations?limit=1')).status).toBe(200);
      const items = await ask('GET', `${conversation}/items?turnId=${id}`);
      expect(items.body['data']).toHaveLength(2);
      expect((await ask('GET', turns)).body['data']).toMatchObject([{ id, status: 'completed' }]);
      expect((await ask('GET', `/api/turns/${id}`)).body).toMatchObject({ id, state: 'sealed' });
      const steps = await ask('GET', `/api/turns/${id}/steps`);
      expect(steps.body['data']).toMatchObject([{ kind: 'respond', status: 'completed' }]);
      const usage = await ask('GET', `/api/turns/${id}/usage`);
      expect(usage.body['calls']).toHaveLength(1);
    });

    it('are found again by their key, however often they are sent', async () => {
      const { assistantId, turns } = await talk();
      await world().offline.script([answer('Once.')]);
      const request = {
        body: { assistantId, input: 'Go.' },
        headers: { 'idempotency-key': randomUUID() },
      };
      const answers = await Promise.all([1, 2, 3].map(() => ask('POST', turns, request)));
      expect(new Set(answers.map(({ body }) => body['id'])).size).toBe(1);
      await ask('GET', `/api/turns/${String(answers[0]?.body['id'])}/result?waitMs=60000`);
    });

    it('that are running keep others out, have no result yet, and can be cancelled', async () => {
      const { assistantId, turns } = await talk();
      await world().offline.script([heldAnswer('Too long to wait for.')]);
      const body = { assistantId, input: 'Go.' };
      const id = await created(turns, body);
      await untilShown(world(), { id } as Parameters<typeof untilShown>[1]);
      const busy = await ask('POST', turns, { body });
      expect(busy).toMatchObject({
        status: 409,
        body: refusal('conversation_busy', { activeTurn: id }),
      });
      for (const wait of ['', '?waitMs=100']) {
        const result = await ask('GET', `/api/turns/${id}/result${wait}`);
        expect(result).toMatchObject({ status: 202, body: { id, status: 'in_progress' } });
      }
      const cancelled = await ask('POST', `/api/turns/${id}/cancel`);
      expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } });
    });

    it('that are running have others wait, or come in their place, as they say', async () => {
      const { assistantId, turns, conversationId } = await talk();
      await world().offline.script([heldAnswer('Too long to wait for.'), answer('Here.')]);
      const items = `/api/conversations/${conversationId}/items`;
      const history = [{ role: 'assistant', content: 'Welcome back.' }];
      const added = await ask('POST', items, { body: { items: history } });
      expect(added).toMatchObject({ status: 201, body: { queued: false } });
      const old = await created(turns, { assistantId, input: 'Go.' });
      await untilShown(world(), { id: old } as Parameters<typeof untilShown>[1]);
      const waits = await ask('POST', items, { body: { items: history, whenBusy: 'enqueue' } });
      expect(waits).toMatchObject({ status: 201, body: { queued: true } });
      const start = (whenBusy: string) =>
        ask('POST', turns, { body: { assistantId, input: 'And?', whenBusy } });
      const waiting = await start('enqueue');
      expect(waiting).toMatchObject({ status: 201, body: { status: 'queued', interrupts: null } });
      const next = await start('interrupt');
      expect(next).toMatchObject({ status: 201, body: { status: 'queued', interrupts: old } });
      expect(await start('wait')).toMatchObject({ status: 400, body: refusal('invalid_request') });
      const result = await ask('GET', `/api/turns/${String(next.body['id'])}/result?waitMs=60000`);
      expect(result).toMatchObject({ status: 200, body: { answer: 'Here.' } });
      expect((await ask('GET', `${turns}?limit=10`)).body['data']).toMatchObject([
        { id: old, reason: 'interrupted' },
        { id: waiting.body['id'], reason: 'superseded' },
        { id: next.body['id'], status: 'completed' },
      ]);
    });

    it('can be cancelled with what they did, and undone once they have ended', async () => {
      const { assistantId, turns } = await talk();
      await world().offline.script([heldAnswer('Too long to wait for.')]);
      const id = await created(turns, { assistantId, input: 'Go.' });
      const unclear = await ask('POST', `/api/turns/${id}/cancel`, { body: { compensate: 'yes' } });
      expect(unclear).toMatchObject({
        status: 400,
        body: refusal('invalid_request', { field: 'compensate' }),
      });
      const cancelled = await ask('POST', `/api/turns/${id}/cancel`, {
        body: { compensate: true },
      });
      const nothingToUndo = { status: 200, body: { status: 'cancelled', compensation: null } };
      expect(cancelled).toMatchObject(nothingToUndo);
      expect(await ask('POST', `/api/turns/${id}/compensate`)).toMatchObject(nothingToUndo);
      const result = await ask('GET', `/api/turns/${id}/result`);
      expect(result).toMatchObject({ status: 200, body: { effects: [] } });
    });

    it.each(['-1', '60001', 'soon'])('have no result within %s ms', async (waitMs) => {
      const answered = await ask('GET', `/api/turns/${randomUUID()}/result?waitMs=${waitMs}`);
      expect(answered).toMatchObject({
        status: 400,
        body: refusal('invalid_request', { field: 'waitMs' }),
      });
    });

    it('can be made again once they have ended, and branched off', async () => {
      const { id, conversationId } = await ended('First.');
      const turn = `/api/turns/${id}`;
      await world().offline.script([answer('Second.'), answer('Third.'), answer('Fourth.')]);
      expect(await ask('POST', `${turn}/retry`)).toMatchObject({
        status: 409,
        body: refusal('turn_not_retryable', { turnId: id, status: 'completed' }),
      });
      const key = { headers: { 'idempotency-key': randomUUID() }, body: { compensate: true } };
      const made = await ask('POST', `${turn}/regenerate`, key);
      expect(made).toMatchObject({
        status: 201,
        body: { conversationId, origin: { kind: 'regenerate', turnId: id } },
      });
      expect((await ask('POST', `${turn}/regenerate`, key)).body['id']).toBe(made.body['id']);
      const second = `/api/turns/${String(made.body['id'])}`;
      await ask('GET', `${second}/result?waitMs=60000`);
      const items = `/api/conversations/${conversationId}/items`;
      expect((await ask('GET', items)).body['data']).toHaveLength(2);
      expect((await ask('GET', `${items}?superseded=true`)).body['data']).toMatchObject([
        { turnId: id, supersededBy: made.body['id'] },
        { turnId: id, supersededBy: made.body['id'] },
        {},
        {},
      ]);
      const branch = await ask('POST', `${second}/edit`, { body: { input: 'Go elsewhere.' } });
      expect(branch).toMatchObject({ status: 201, body: { origin: { kind: 'edit' } } });
      const place = `/api/conversations/${String(branch.body['conversationId'])}`;
      expect((await ask('GET', place)).body['branchedFrom']).toEqual({
        ...{ conversationId, turnId: made.body['id'] },
      });
      await world().offline.script([{ kind: 'error', status: 400 }, answer('At last.')]);
      const failing = { assistantId: made.body['assistantId'], input: 'Again.' };
      const failed = await created(`/api/conversations/${conversationId}/turns`, failing);
      await ask('GET', `/api/turns/${failed}/result?waitMs=60000`);
      const retried = await ask('POST', `/api/turns/${failed}/retry`);
      expect(retried).toMatchObject({ status: 201, body: { origin: { kind: 'retry' } } });
      const result = await ask(
        'GET',
        `/api/turns/${String(retried.body['id'])}/result?waitMs=60000`,
      );
      expect(result.body).toMatchObject({ answer: 'At last.' });
      const empty = await ask('POST', `${second}/edit`, { body: { input: '' } });
      expect(empty).toMatchObject({ status: 400, body: refusal('input_empty') });
      for (const what of ['retry', 'regenerate', 'edit']) {
        const request = { body: { input: 'Hi' }, headers: OTHER };
        const { input: _input, ...rest } = request.body;
        const body = what === 'edit' ? request.body : rest;
        expect(await ask('POST', `${turn}/${what}`, { ...request, body })).toMatchObject({
          status: 404,
          body: refusal('turn_not_found'),
        });
      }
    });

    it('are not started with input that is empty, or of an assistant that is not there', async () => {
      const { assistantId, turns } = await talk();
      const empty = await ask('POST', turns, { body: { assistantId, input: ' ' } });
      expect(empty).toMatchObject({ status: 400, body: refusal('input_empty') });
      const nobodys = { assistantId: randomUUID(), input: 'Go.' };
      expect(await ask('POST', turns, { body: nobodys })).toMatchObject({
        status: 404,
        body: refusal('assistant_not_found'),
      });
    });
  });
}
