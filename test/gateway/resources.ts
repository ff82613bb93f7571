import { beforeAll, expect } from 'vitest';
import { hasPart } from '../support/require-part.ts';
import { answer } from '../support/talk.ts';
import { documented, type OpenApi } from './documented.ts';
import { call, useGateway, type Answer } from './use-gateway.ts';

export const ASSISTANT = { name: 'Tester', model: 'test-model', instructions: 'Be brief.' };
export const OTHER = { 'x-tenant': 'other' };
const CODEC_ORIGIN = 'http://127.0.0.1:8233';

export type Resources = ReturnType<typeof useResources>;

/** A gateway whose every answer is held against the OpenAPI document. */
export function useResources() {
  const { world, gateway } = useGateway({ codecOrigin: CODEC_ORIGIN });
  let document: ReturnType<typeof documented>;

  beforeAll(() => {
    if (!hasPart('temporal') || !hasPart('postgres')) return;
    document = documented(gateway().app.swagger() as unknown as OpenApi);
  });

  async function ask(
    method: string,
    path: string,
    request: Parameters<typeof call>[3] = {},
  ): Promise<Answer> {
    const answered = await call(gateway(), method, path, request);
    document.check(method, path, answered.status, answered.body);
    return answered;
  }

  async function created(path: string, body?: unknown): Promise<string> {
    const answered = await ask('POST', path, { body });
    expect(answered.status).toBe(201);
    return String(answered.body['id']);
  }

  async function talk() {
    const assistantId = await created('/api/assistants', ASSISTANT);
    const conversationId = await created('/api/conversations', {});
    return { assistantId, turns: `/api/conversations/${conversationId}/turns`, conversationId };
  }

  async function ended(text = 'Done.') {
    const { assistantId, turns, conversationId } = await talk();
    await world().offline.script([answer(text)]);
    const id = await created(turns, { assistantId, input: 'Go.' });
    const result = await ask('GET', `/api/turns/${id}/result?waitMs=60000`);
    expect(result).toMatchObject({ status: 200, body: { status: 'completed', answer: text } });
    return { id, conversationId, turns };
  }

  return { world, gateway, document: () => document, ask, created, talk, ended };
}
