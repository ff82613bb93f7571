import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { inject } from 'vitest';
import type { JsonObject } from '../../src/contracts/json.ts';
import { startChild, type OwnChild } from '../../src/dev/child.ts';
import { runnable } from '../support/compile.ts';
import { requirePart } from '../support/require-part.ts';
import { SOON } from '../support/talk.ts';
import { openSse, readSse, shownBy, type SseEvent } from './read-sse.ts';

const TIMEOUT_MS = 240_000;
const HERE = { DATABASE_URL: '', TEMPORAL_ADDRESS: '', OPENAI_API_KEY: '', OPENAI_BASE_URL: '' };

let dataDir: string;
const servers: OwnChild[] = [];
/** The one that the first test has left running, for the next one. */
let kept: OwnChild | undefined;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'turnkeeper-server-'));
});

beforeEach((context) => requirePart(context, 'temporal'));

afterEach(async () => {
  const ended = servers.filter((server) => server !== kept);
  servers.splice(0, servers.length, ...(kept ? [kept] : []));
  await Promise.all(ended.map((server) => server.stop()));
});

afterAll(async () => {
  await kept?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function startServer(env: Record<string, string> = {}): Promise<OwnChild> {
  const server = await startChild({
    name: 'The server',
    script: runnable(new URL('../../src/server.ts', import.meta.url)),
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

async function childrenOf(parent: number): Promise<{ pid: number; command: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
      const isChild = (await read('status')).includes(`PPid:\t${parent}\n`);
      return isChild ? [{ pid, command: await read('cmdline') }] : [];
    }),
  );
  return found.flat();
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

      kept = await startServer({ DATA_DIR: dataDir });
      const second = urlOf(kept);
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
      const server = kept ?? (await startServer());
      kept = undefined;
      const { turnId } = await startTurn(urlOf(server));
      const stream = await openSse(`${urlOf(server)}/api/turns/${turnId}/events`);
      server.kill('SIGTERM');
      await stream.ended;
      expect(await server.exited).toEqual({ code: 0, signal: null });
      expect(server.output()).toContain('Everything is stopped.');
    },
    TIMEOUT_MS,
  );

  it(
    'ends, and says why, when a part ends that it cannot replace',
    async () => {
      const server = await startServer({ DATA_DIR: dataDir });
      const database = (await childrenOf(server.pid)).find(({ command }) =>
        command.includes('pglite'),
      );
      process.kill(database?.pid ?? 0, 'SIGKILL');
      expect(await server.exited).toEqual({ code: 1, signal: null });
      expect(server.output()).toMatch(
        /The embedded database has ended by itself \(SIGKILL\).* Start again/,
      );
    },
    TIMEOUT_MS,
  );

  it.each([
    ['an address that others reach', { TURNKEEPER_HOST: '0.0.0.0' }],
    ['a wrong setting of a worker', { EMBEDDINGS: 'lokal' }],
  ])('does not start anything for %s', async (_, env) => {
    await expect(startServer(env)).rejects.toMatchObject({ code: 'invalid_setting' });
  });

  it('does not start anything for a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    await expect(startServer({ PORT: String(port) })).rejects.toMatchObject({
      code: 'invalid_setting',
    });
    taken.close();
  });
});
