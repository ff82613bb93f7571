import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { SandboxRequest, SandboxResult } from '../../src/contracts/sandbox.ts';
import { startChild, type OwnChild } from '../../src/dev/child.ts';
import { CONTROLLERS, findHierarchies } from '../../src/sandbox/bubblewrap/hierarchy.ts';
import { ownIdentity } from '../../src/sandbox/bubblewrap/worker-identity.ts';
import { useSandbox } from '../support/sandboxes.ts';
import { markedProcesses } from './hostile/host.ts';

const UNSTOPPED = { signal: new AbortController().signal };
const POLL_MS = 20;

function bash(code: string, more: Partial<SandboxRequest> = {}): SandboxRequest {
  return { key: randomUUID(), language: 'bash', code, files: [], timeoutMs: 20_000, ...more };
}

/** A program that can be seen on the host by its mark, and stays. The mark stands nowhere before it runs. */
function staying(mark: string): string {
  const [name, ...rest] = mark.split('-');
  return `name=${String(name)}; exec -a $name-${rest.join('-')} sleep 600`;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(POLL_MS);
}

const isThere = async (mark: string) => (await markedProcesses(mark)).length > 0;

/** Control groups whose names begin like this, of any hierarchy. */
async function foldersOf(worker: string): Promise<string[]> {
  const hierarchies = await findHierarchies();
  const parents = hierarchies.flatMap((hierarchy) => CONTROLLERS.map((name) => hierarchy[name]));
  const folders = [...new Set(parents)].map(async (parent) =>
    (await readdir(parent)).map((name) => join(parent, name)),
  );
  const all = (await Promise.all(folders)).flat();
  return all.filter((path) => basename(path).startsWith(`turnkeeper-${worker}-`));
}

const groupsOf = async (worker: string) => (await foldersOf(worker)).map((path) => basename(path));

describe('the bubblewrap sandbox', () => {
  const host = useSandbox('bubblewrap');
  const run = (request: SandboxRequest): Promise<SandboxResult> =>
    host.sandbox.run(request, UNSTOPPED);

  it('says what it is made of', () => {
    expect(host.sandbox.description).toMatch(
      /^bubblewrap \S+, Python 3\.\S+, Node v\d\S+, cgroup v[12]$/,
    );
  });

  it.each([
    ['python', 'open("out", "w").write(open("in").read().upper()); print("done")'],
    [
      'javascript',
      'import fs from "node:fs"; fs.writeFileSync("out", require("fs").readFileSync("in", "utf8").toUpperCase()); console.log("done")',
    ],
    ['bash', 'tr a-z A-Z <in >out; echo done'],
  ] as const)('runs %s with files in and out', async (language, code) => {
    const files = [{ name: 'in', content: Buffer.from('beavers') }];
    const result = await run({ ...bash(code), language, files });
    expect(result).toMatchObject({ exitCode: 0, limit: null, stdout: 'done\n', stderr: '' });
    expect(result.artifacts).toEqual([{ name: 'out', content: Buffer.from('BEAVERS') }]);
    expect(result.refused).toEqual([]);
  });

  it('shows of the host’s files those of its programs, and nothing else', async () => {
    const result = await run(bash('cd /; ls -d * etc/* usr/* usr/local/* usr/local/lib/* var/*'));
    const shown = result.stdout
      .split('\n')
      .filter((path) => !path.startsWith('usr/local/lib/python3'));
    const allowed =
      /^(|bin|lib|lib32|lib64|libx32|dev|proc|opt|sandbox|tmp|work|var|var\/tmp|usr|etc|etc\/(alternatives|group|hosts|passwd)|usr\/(bin|lib|lib32|lib64|libx32|share|local)|usr\/local\/(bin|lib))$/;
    expect(shown.filter((path) => !allowed.test(path))).toEqual([]);
  });

  it('runs a key twice at once as two runs that know nothing of each other', async () => {
    const request = bash('mkdir mine && sleep 1 && ls / /work | sort | md5sum && ls');
    const [one, other] = await Promise.all([run(request), run(request)]);
    expect(one).toMatchObject({ exitCode: 0, stderr: '' });
    expect(other.stdout).toBe(one.stdout);
  });

  it('refuses a bad request before anything is made', async () => {
    const refusal = run(bash('true', { files: [{ name: '../up', content: Buffer.of() }] }));
    await expect(refusal).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('stops when it is told to, and leaves nothing', async () => {
    const mark = `stopped-${randomUUID()}`;
    const stop = new AbortController();
    const running = host.sandbox.run(bash(staying(mark)), stop);
    running.catch(() => undefined);
    await until(() => isThere(mark));
    stop.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    expect(await markedProcesses(mark)).toEqual([]);
    expect(await groupsOf(await ownIdentity())).toEqual([]);
  });

  it('stops at whatever moment of its beginning it is told to', async () => {
    for (let moment = 0; moment < 60; moment += 3) {
      const stop = new AbortController();
      const running = host.sandbox.run(bash('sleep 600'), stop);
      const refusal = expect(running).rejects.toThrow('enough');
      await delay(moment);
      stop.abort(new Error('enough'));
      await refusal;
    }
    expect(await groupsOf(await ownIdentity())).toEqual([]);
  });

  it('starts nothing when it was told to stop before', async () => {
    const stop = AbortSignal.abort(new Error('too late'));
    const running = host.sandbox.run(bash('true'), { signal: stop });
    await expect(running).rejects.toThrow('too late');
  });

  it('leaves no control group behind, whatever ended the code', async () => {
    await run(bash('sleep 600', { timeoutMs: 500 }));
    await run(bash('yes'));
    await run(bash('kill -KILL $$'));
    expect(await groupsOf(await ownIdentity())).toEqual([]);
  });

  it('hands out the result though its control group cannot be taken away', async () => {
    const mark = `held-${randomUUID()}`;
    const running = run(bash(`${staying(mark)} & sleep 1; echo done`));
    await until(() => isThere(mark));
    const [folder = ''] = await foldersOf(await ownIdentity());
    const inner = join(folder, 'inner');
    await mkdir(inner);
    expect(await running).toMatchObject({ stdout: 'done\n', exitCode: 0 });
    await rmdir(inner);
    await rmdir(folder);
  });

  describe('whose worker is killed', () => {
    let worker: OwnChild | undefined;
    afterEach(() => worker?.stop());

    it('is gone with it, and what is left of it is reaped, but not what others run', async () => {
      const [lost, living] = [`lost-${randomUUID()}`, `living-${randomUUID()}`];
      const stop = new AbortController();
      const other = host.sandbox.run(bash(staying(living)), stop);
      other.catch(() => undefined);
      worker = await startChild({
        name: 'The worker',
        script: new URL('./bubblewrap-main.ts', import.meta.url),
        args: [staying(lost)],
      });
      await until(async () => (await isThere(lost)) && (await isThere(living)));
      const identity = await identityOf(worker.pid);
      expect(await groupsOf(identity)).not.toEqual([]);

      worker.kill('SIGKILL');
      await worker.exited;
      await until(async () => !(await isThere(lost)));
      expect(await host.sandbox.reap()).toBeGreaterThan(0);
      expect(await groupsOf(identity)).toEqual([]);
      expect(await isThere(living)).toBe(true);

      stop.abort(new Error('enough'));
      await expect(other).rejects.toThrow('enough');
    });
  });
});

/** As it stands in the names of its groups: without its start time, which nobody can ask for once it is gone. */
async function identityOf(pid: number): Promise<string> {
  const [namespace] = (await ownIdentity()).split('-');
  return `${String(namespace)}-${pid}`;
}
