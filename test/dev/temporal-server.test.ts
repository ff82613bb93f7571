import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { startTemporalServer } from '../../src/dev/temporal-server.ts';
import type { TemporalServer, TemporalServerOptions } from '../../src/dev/temporal-server.ts';
import { requirePart } from '../support/require-part.ts';

const ATTRIBUTES = { OurTenant: 'Keyword', OurConversation: 'Keyword' } as const;

let folder: string;
let running: TemporalServer[];

beforeEach(async (context) => {
  requirePart(context, 'temporal');
  running = [];
  folder = await mkdtemp(join(tmpdir(), 'turnkeeper-temporal-'));
});

afterEach(async () => {
  await Promise.all(running.map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<TemporalServerOptions> = {}): Promise<TemporalServer> {
  const cliPath = inject('temporalCliPath') ?? '';
  const server = await startTemporalServer({
    cliPath,
    ui: false,
    searchAttributes: {},
    ...options,
  });
  running.push(server);
  return server;
}

async function withConnection<T>(
  server: TemporalServer,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address: server.address });
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

/** A start with a search attribute that is not registered fails. */
function startWithAttributes(server: TemporalServer): Promise<string> {
  const typedSearchAttributes = Object.keys(ATTRIBUTES).map((name) => {
    return { key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD), value: 'some' };
  });
  return withConnection(server, async (connection) => {
    const options = { taskQueue: 'nobody', workflowId: 'attributed', typedSearchAttributes };
    const handle = await new Client({ connection }).workflow.start('any', options);
    return handle.workflowId;
  });
}

/** A stand-in for the CLI: a shell script. */
async function fakeCli(script: string): Promise<string> {
  const path = join(folder, 'temporal');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

it('has its search attributes and its Web UI as soon as it is started', async () => {
  const server = await start({ ui: true, searchAttributes: ATTRIBUTES });
  expect(server.address).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(await startWithAttributes(server)).toBe('attributed');
  const page = await fetch(server.uiUrl ?? '');
  expect(page.status).toBe(200);
});

it('answers no more once it is stopped', async () => {
  const server = await start({ ui: true });
  await server.stop();
  await expect(fetch(server.uiUrl ?? '')).rejects.toThrow('fetch failed');
});

it('runs beside another one', async () => {
  const [one, other] = await Promise.all([start(), start()]);
  expect(one.address).not.toBe(other.address);
});

it('keeps workflows in its file, and registers there what a later start asks for', async () => {
  const dbFile = join(folder, 'temporal.sqlite');
  const first = await start({ dbFile });
  await withConnection(first, async (connection) => {
    const options = { taskQueue: 'nobody', workflowId: 'kept' };
    await new Client({ connection }).workflow.start('any', options);
  });
  await first.stop();
  const second = await start({ dbFile, searchAttributes: ATTRIBUTES });
  const status = await withConnection(second, async (connection) => {
    const found = await new Client({ connection }).workflow.getHandle('kept').describe();
    return found.status.name;
  });
  expect(status).toBe('RUNNING');
  expect(await startWithAttributes(second)).toBe('attributed');
});

it('takes other ports when somebody else was faster', async () => {
  const real = inject('temporalCliPath') ?? '';
  const taken = `echo "Error: can't set frontend port: bind: address already in use" >&2; exit 1`;
  const first = join(folder, 'first');
  const cliPath = await fakeCli(
    `if [ ! -e ${first} ]; then touch ${first}; ${taken}; fi\nexec ${real} "$@"`,
  );
  const server = await start({ cliPath });
  expect(server.uiUrl).toBeNull();
});

it('says what the server wrote when it ends before it is ready', async () => {
  const cliPath = await fakeCli('echo "unable to open database file" >&2; exit 1');
  const starting = start({ cliPath });
  await expect(starting).rejects.toMatchObject({ code: 'service_failed' });
  await expect(starting).rejects.toThrow('unable to open database file');
});
