import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChild } from '../../src/dev/child.ts';
import { startGuarded } from '../../src/dev/guarded-process.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnkeeper-child-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function script(name: string, source: string): Promise<URL> {
  const path = join(folder, name);
  await writeFile(path, source);
  return pathToFileURL(path);
}

const STAY = 'setInterval(() => undefined, 1_000);';

describe('startChild', () => {
  it('answers what the script announced, with arguments and variables passed on', async () => {
    const source = `
      const ready = { args: process.argv.slice(2), given: process.env.GIVEN, gone: process.env.HOME ?? null };
      console.log(JSON.stringify(ready)); ${STAY}`;
    const child = await startChild({
      name: 'The script',
      script: await script('ready.mjs', source),
      args: ['--port', '0'],
      env: { GIVEN: 'yes', HOME: undefined },
    });
    expect(child.ready).toEqual({ args: ['--port', '0'], given: 'yes', gone: null });
    await child.stop();
    expect(await child.exited).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('runs TypeScript', async () => {
    const source = `const ready: { ok: boolean } = { ok: true }; console.log(JSON.stringify(ready)); ${STAY}`;
    const child = await startChild({
      name: 'The script',
      script: await script('typed.ts', source),
    });
    expect(child.ready).toEqual({ ok: true });
    await child.stop();
  });

  it('rejects with the error that the script announced, advice said once', async () => {
    const error = { code: 'data_dir_in_use', message: 'The folder is in use.' };
    const source = `console.log(${JSON.stringify(JSON.stringify({ error }))}); process.exitCode = 1;`;
    const starting = startChild({ name: 'The script', script: await script('error.mjs', source) });
    await expect(starting).rejects.toMatchObject({
      code: 'data_dir_in_use',
      message:
        'The folder is in use. Stop the process that uses the data directory, or choose another one.',
    });
  });

  it('rejects with the output of a script that ends before it is ready', async () => {
    const source = `console.error('no such table'); process.exitCode = 3;`;
    const starting = startChild({ name: 'The script', script: await script('ends.mjs', source) });
    await expect(starting).rejects.toMatchObject({ code: 'service_failed' });
    await expect(starting).rejects.toThrow(/The script ended \(exit code 3\)[\s\S]*no such table/);
  });

  it('rejects a script that announces itself with something else, and leaves nothing running', async () => {
    const source = `console.log('hello'); ${STAY}`;
    const starting = startChild({ name: 'The script', script: await script('chat.mjs', source) });
    await expect(starting).rejects.toThrow(/something else than a JSON object[\s\S]*hello/);
  });
});

describe('startGuarded', () => {
  it('rejects a command that is not there', async () => {
    const starting = startGuarded({ name: 'The tool', command: '/nowhere/tool', args: [] });
    await expect(starting).rejects.toMatchObject({ code: 'service_failed' });
  });

  it('ends the process when the one that started it is killed with SIGKILL', async () => {
    const { server, port } = await listen();
    const connected = once(server, 'connection') as Promise<[Socket]>;
    const parent = await startGuarded({
      name: 'The parent',
      command: process.execPath,
      args: ['--import', import.meta.resolve('tsx'), '--eval', parentOf(port)],
    });
    const [socket] = await connected;
    const gone = once(socket.resume(), 'close');
    parent.kill('SIGKILL');
    await gone;
    expect(await parent.exited).toEqual({ code: null, signal: 'SIGKILL' });
    server.close();
  });
});

/** A process whose guarded child holds a connection open for as long as it lives. */
function parentOf(port: number): string {
  const hold = `require('node:net').connect(${port}, '127.0.0.1')`;
  const options = { name: 'The child', command: process.execPath, args: ['--eval', hold] };
  const module = new URL('../../src/dev/guarded-process.ts', import.meta.url).href;
  return `import(${JSON.stringify(module)}).then((m) => m.startGuarded(${JSON.stringify(options)})); ${STAY}`;
}

async function listen() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}
