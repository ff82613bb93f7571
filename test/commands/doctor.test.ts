import { Command, CommanderError } from 'commander';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addDoctor, type DoctorParts } from '../../src/commands/doctor.ts';
import { composeDoctor } from '../../src/compose-doctor.ts';
import { loadConfig } from '../../src/config.ts';
import type { Checked } from '../../src/contracts/checked.ts';
import { TurnkeeperError } from '../../src/contracts/errors.ts';
import { spine } from '../../src/store/migrations/0001-spine.ts';
import { keySetting, masterKey } from '../encryption/keys.ts';
import { turnkeeper } from '../support/command-line.ts';
import { openPool } from '../support/pool.ts';
import { freshDatabase } from '../support/postgres.ts';
import { newNamespace } from '../support/temporal.ts';
import { useWorld } from '../support/use-world.ts';
import { silent } from '../support/world.ts';

const WELL: Checked = { check: 'database', state: 'ok', detail: 'here' };
const WRONG: Checked = {
  check: 'turns',
  state: 'problem',
  detail: '2 turns are lost',
  advice: 'Run it with --fix.',
  examples: ['a', 'b'],
};

describe('the doctor command', () => {
  const lines: string[] = [];
  const asked: string[] = [];
  let found: Checked[] = [];
  let agreed = false;
  let runs = 0;
  let broken: Error | undefined;
  let exitCode: typeof process.exitCode;
  const parts: DoctorParts = {
    async *examine({ fix }) {
      await Promise.resolve();
      if (broken) throw broken;
      for (const checked of found)
        yield fix && checked.state === 'problem' ? { ...checked, state: 'mended' } : checked;
    },
    restoring: (work) =>
      work({
        look: () => Promise.resolve({ turns: 3, workflows: 4, workers: 2, where: 'here' }),
        run() {
          runs += 1;
          return Promise.resolve({ sealed: 3, terminated: 4, freed: 0, failed: runs > 1 ? 0 : 1 });
        },
      }),
    confirm(question) {
      asked.push(question);
      return Promise.resolve(agreed);
    },
    print: (line) => void lines.push(line),
  };

  beforeEach(() => {
    exitCode = process.exitCode;
    lines.length = 0;
    asked.length = 0;
    runs = 0;
    agreed = false;
    broken = undefined;
  });
  afterEach(() => {
    process.exitCode = exitCode;
  });

  async function run(...args: string[]): Promise<typeof process.exitCode> {
    const program = new Command()
      .exitOverride()
      .configureOutput({ writeOut: (text) => void lines.push(text) });
    addDoctor(program, parts);
    await program.parseAsync(['doctor', ...args], { from: 'user' });
    return process.exitCode;
  }

  it('ends with 0 when all is well, and with 1 when something is wrong, saying what to do', async () => {
    found = [WELL];
    expect(await run()).toBe(0);
    expect(lines).toEqual(['ok       database: here']);
    found = [WELL, WRONG];
    expect(await run()).toBe(1);
    expect(lines.slice(2).map((line) => line.trim())).toEqual([
      'problem  turns: 2 turns are lost',
      'a, b',
      'Run it with --fix.',
    ]);
  });

  it('ends with 0 when everything was mended', async () => {
    found = [WELL, WRONG];
    expect(await run('--fix')).toBe(0);
    expect(lines[1]).toMatch(/^mended +turns/);
  });

  it('prints one object for programs', async () => {
    found = [WELL, WRONG];
    expect(await run('--json')).toBe(1);
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
      { ok: false, checks: [WELL, WRONG] },
    ]);
  });

  it('says which setting cannot be read', async () => {
    broken = new TurnkeeperError('missing_setting', 'DATABASE_URL is not set.', {});
    expect(await run()).toBe(1);
    expect(await run('--json')).toBe(1);
    expect(lines[0]).toContain('DATABASE_URL');
    expect(JSON.parse(lines[1] ?? '')).toEqual({
      ok: false,
      error: { code: 'missing_setting', message: lines[0] },
    });
  });

  it('explains itself', async () => {
    await expect(run('--help')).rejects.toBeInstanceOf(CommanderError);
    expect(lines.join()).toContain('Exit code: 0 all is well');
  });

  it('asks before it ends anything after a restore', async () => {
    expect(await run('--restored')).toBe(1);
    for (const told of ['In here:', '3 turns are open', '4 workflows', '2 workers'])
      expect(asked.join()).toContain(told);
    expect(runs).toBe(0);
    agreed = true;
    expect(await run('--restored')).toBe(1);
    expect(lines.at(-1)).toContain('1 failed');
    expect(await run('--restored', '--yes', '--json')).toBe(0);
    expect(asked).toHaveLength(2);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ ok: true, sealed: 3, terminated: 4 });
  });
});

describe('turnkeeper doctor', { timeout: 120_000 }, () => {
  const world = useWorld();
  type Env = Record<string, string>;

  /** In this process: one of its own takes a second of processor time. */
  async function examined(env: Env, { fix = false } = {}): Promise<Map<string, Checked>> {
    const found = new Map<string, Checked>();
    const { examine } = composeDoctor(silent, () => loadConfig(env));
    const confirm = () => Promise.resolve(false);
    for await (const checked of examine({ fix, confirm })) found.set(checked.check, checked);
    return found;
  }

  it('finds all parts well beside a worker that runs, and asks the model for nothing', async () => {
    const worker = await world().startWorker();
    const { code, stdout } = await turnkeeper(['doctor', '--json'], world().env);
    const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Checked[] };
    expect(checks.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect([code, ok]).toEqual([0, true]);
    const requests = await world().offline.journal();
    expect(requests.filter(({ method }) => method === 'POST')).toEqual([]);
    worker.kill('SIGKILL');
    await worker.exited;
  });

  it('says of each part what is wrong with it', async () => {
    const refusing = createServer((_, response) => response.writeHead(401).end());
    await once(refusing.listen(0, '127.0.0.1'), 'listening');
    const { port } = refusing.address() as AddressInfo;
    const found = await examined({
      ...world().env,
      TURNKEEPER_TASK_QUEUE: 'nobody-asks-for-this',
      QDRANT_URL: 'http://127.0.0.1:9',
      OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
      TURNKEEPER_SANDBOX: 'docker',
      DOCKER_HOST: 'unix:///nowhere/docker.sock',
    });
    refusing.close();
    expect(found.get('workers')?.advice).toContain('Start a worker');
    expect(found.get('index')?.detail).toMatch(/does not answer$/);
    expect(found.get('model')?.detail).toMatch(/refuses the key$/);
    expect(found.get('model')?.advice).toContain('OPENAI_API_KEY');
    expect(found.get('sandbox')?.detail).toContain('/nowhere/docker.sock');
    for (const part of ['workers', 'index', 'model', 'sandbox'])
      expect([part, found.get(part)?.state]).toEqual([part, 'problem']);
    expect(found.get('turns')?.state).toBe('ok');
  });

  it('says which search attributes are missing, and how they are registered', async () => {
    const namespace = await newNamespace(world().temporal);
    const found = await examined({ ...world().env, TEMPORAL_NAMESPACE: namespace });
    expect(found.get('search attributes')).toMatchObject({
      state: 'problem',
      advice: expect.stringContaining(`--namespace ${namespace} --name TurnkeeperTenant`) as string,
    });
  });

  it('looks at the other parts when the database is away', async () => {
    const away = { ...world().env, DATABASE_URL: 'postgres://nobody@127.0.0.1:9/nothing' };
    const found = await examined(away);
    expect(found.get('database')?.state).toBe('problem');
    expect(found.get('temporal')?.state).toBe('ok');
    expect(found.get('data')?.state).toBe('skipped');
  });

  it('migrates a database of ours when it is asked to mend, none that is newer, and none of others', async () => {
    const database = await freshDatabase();
    const env = { ...world().env, DATABASE_URL: database.url };
    const found = async (fix = false) => (await examined(env, { fix })).get('database');
    expect(await found(true)).toMatchObject({
      state: 'problem',
      advice: expect.stringContaining('the right database') as string,
    });
    const pool = openPool(database.url, 1);
    await pool.query('CREATE SCHEMA turnkeeper');
    await pool.query(
      'CREATE TABLE turnkeeper.schema_migrations (id integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz DEFAULT now())',
    );
    await pool.query(spine);
    await pool.query("INSERT INTO turnkeeper.schema_migrations (id, name) VALUES (1, 'spine')");
    expect((await found())?.state).toBe('problem');
    expect((await found(true))?.state).toBe('mended');
    expect((await found())?.state).toBe('ok');
    await pool.query("INSERT INTO turnkeeper.schema_migrations (id, name) VALUES (9999, 'later')");
    await pool.end();
    expect(await found(true)).toMatchObject({
      state: 'problem',
      advice: 'Run a release as new as the database.',
    });
    await database.drop();
  });

  it('says when the key is missing that histories were encrypted with', async () => {
    const { id } = await world().turnkeeper.conversations.create();
    await world().sql(
      `INSERT INTO turnkeeper.data_keys (id, conversation_id, wrapped, wrapped_by) VALUES ($1, $1, $2, 'old')`,
      [id, Buffer.alloc(60)],
    );
    const env = { ...world().env, TURNKEEPER_ENCRYPTION_KEYS: keySetting(masterKey('new')) };
    const data = (await examined(env)).get('data');
    expect(data).toMatchObject({ state: 'problem' });
    expect(data?.detail).toContain('the key old');
    await world().sql('DELETE FROM turnkeeper.data_keys');
  });

  it('needs settings that can be read', async () => {
    await expect(examined({})).rejects.toMatchObject({ code: 'missing_setting' });
  });

  it('changes nothing after a restore when nobody can be asked', async () => {
    const { code, stdout, stderr } = await turnkeeper(['doctor', '--restored'], world().env);
    expect(code).toBe(1);
    expect(stdout).toContain('Nothing was changed.');
    expect(stderr).toContain('--yes');
  });
});
