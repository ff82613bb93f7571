import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { inject } from 'vitest';
import type { JsonObject } from '../../src/contracts/json.ts';
import { startChild, type OwnChild } from '../../src/dev/child.ts';
import { requirePart } from '../support/require-part.ts';
import { SOON } from '../support/talk.ts';
import { openSse, readSse, shownBy, type SseEvent } from './read-sse.ts';

const TIMEOUT_MS = 240_000;
const HERE = { DATABASE_URL: '', TEMPORAL_ADDRESS: '', OPENAI_API_KEY: '', OPENAI_BASE_URL: '' };

let dataDir: string;
const servers: OwnChild[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'turnkeeper-server-'));
});

beforeEach((context) => requirePart(context, 'temporal'));

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

afterAll(() => rm(dataDir, { recursive: true, force: true }));

async function startServer(env: Record<string, string> = {}): Promise<OwnChild> {
  const server = await startChild({
    name: 'The server',
    script: 'server',
    env: {
      ...HERE,
      PORT: '0',
      EMBEDDINGS: 'none',
      TURNKEEPER_SANDBOX: 'none',
      TEMPORAL_CLI_PATH: inject('temporalCliPath') ?? '',
      ...env,
    },
  });
  servers.push(server);
  return server;
}

const urlOf = (server: OwnChild) => String(server.ready['listening']);

async function ask(url: string, body?: JsonObject): Promise<JsonObject> {
  const response = await fetch(url, {
    ...(body && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  expect(response.ok, url).toBe(true);
  return (await response.json()) as JsonObject;
}

async function startTurn(url: string): Promise<{ turnId: string; conversationId: string }> {
  const assistant = await ask(`${url}/api/assistants`, { name: 'A', model: 'any' });
  const conversation = await ask(`${url}/api/conversations`, {});
  const turn = await ask(`${url}/api/conversations/${String(conversation['id'])}/turns`, {
    assistantId: String(assistant['id']),
    input: 'What do the beavers build?',
  });
  return { turnId: String(turn['id']), conversationId: String(conversation['id']) };
}

function expectWhole(events: SseEvent[]): void {
  expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
  expect(events.at(-1)).toMatchObject({ event: 'turn.done', data: { status: 'completed' } });
}

describe('npm start', () => {
  it(
    'runs from nothing to a streamed answer, and goes on after it was killed in mid-answer',
    async () => {
      const first = await startServer({ DATA_DIR: dataDir });
      const url = urlOf(first);
      expect(await ask(`${url}/health`)).toEqual({ status: 'ok' });
      const info = await ask(`${url}/api/info`);
      expect(String(info['runsOn'])).toContain(dataDir);
      expect(info['temporalUi']).toMatch(/^http:/);
      expect(first.output()).toContain(`${url}/console`);

      const done = await startTurn(url);
      expectWhole(await readSse(`${url}/api/turns/${done.turnId}/events`));

      const broken = await startTurn(url);
      const stream = await openSse(`${url}/api/turns/${broken.turnId}/events`);
      await vi.waitFor(() => expect(shownBy(stream.events)).not.toBe(''), SOON);
      first.kill('SIGKILL');
      await stream.ended.catch(() => undefined);
      await first.exited;

      const second = urlOf(await startServer({ DATA_DIR: dataDir }));
      const last = stream.events.at(-1)?.id;
      const rest = await readSse(`${second}/api/turns/${broken.turnId}/events?after=${last}`);
      const whole = [...stream.events, ...rest];
      expectWhole(whole);
      const result = await ask(`${second}/api/turns/${broken.turnId}/result?waitMs=1000`);
      expect(result['answer']).toBe(shownBy(whole));
      const items = await ask(`${second}/api/conversations/${done.conversationId}/items`);
      expect(items['data']).toHaveLength(2);
    },
    TIMEOUT_MS,
  );

  it(
    'ends within seconds of SIGTERM, also with a reader on it, and leaves nothing running',
    async () => {
      const server = await startServer();
      const { turnId } = await startTurn(urlOf(server));
      const stream = await openSse(`${urlOf(server)}/api/turns/${turnId}/events`);
      server.kill('SIGTERM');
      await stream.ended;
      expect(await server.exited).toEqual({ code: 0, signal: null });
      expect(server.output()).toContain('Everything is stopped.');
    },
    TIMEOUT_MS,
  );

  it('does not start anything for an address that others reach', async () => {
    const starting = startServer({ TURNKEEPER_HOST: '0.0.0.0' });
    await expect(starting).rejects.toMatchObject({ code: 'invalid_setting' });
  });
});
