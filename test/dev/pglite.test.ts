import { PGlite } from '@electric-sql/pglite';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isTurnkeeperError } from '../../src/contracts/errors.ts';
import { simpleQuery, startup } from '../../src/dev/pglite/backend.ts';
import { shareSession } from '../../src/dev/pglite/session.ts';
import type { Session, SessionClient, Unit } from '../../src/dev/pglite/session.ts';
import { openPglite } from '../../src/dev/pglite/open.ts';
import { startPglite } from '../../src/dev/pglite/start.ts';
import type { RunningPglite } from '../../src/dev/pglite/start.ts';
import { startTestPglite } from '../support/pglite.ts';
import { openPool } from '../support/pool.ts';

const ROOT = new URL('../../', import.meta.url);
const START = new URL('../../src/dev/pglite/start.ts', import.meta.url).href;

/** Runs a module in a process of its own; `pg` and `print` are there for it. */
function script(code: string): ChildProcess {
  const head = `import pg from 'pg'; const print = (v) => process.stdout.write(JSON.stringify(v) + '\\n');`;
  return spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', `${head}\n${code}`],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
  );
}

async function firstLine(child: ChildProcess): Promise<unknown> {
  if (!child.stdout) throw new Error('no output');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return JSON.parse(line);
}

async function killed(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await gone(pid);
}

async function gone(pid: number): Promise<void> {
  await expect.poll(() => isRunning(pid), { timeout: 20_000 }).toBe(false);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('one embedded database, many clients', () => {
  let database: RunningPglite;
  let pool: pg.Pool;

  beforeAll(async () => {
    database = await startTestPglite();
    pool = openPool(database.url, 20);
  });

  afterAll(async () => {
    await pool.end();
    await database.stop();
  });

  const answers = (url: string, base: number): ChildProcess =>
    script(`
      const clients = await Promise.all(Array.from({ length: 20 }, async () => {
        const client = new pg.Client(${JSON.stringify(url)});
        await client.connect();
        return client;
      }));
      const wrong = await Promise.all(clients.map(async (client, i) => {
        let wrong = 0;
        for (let n = ${base}; n < ${base} + 40; n++) {
          const failing = await client.query('select 1 / ($1::int - $1::int)', [n]).catch((e) => e.code);
          const one = await client.query('select $1::int as n', [n]);
          const two = await client.query('select $1::text as a, $2::int as b', ['c' + i, n]);
          if (failing !== '22012' || one.rows[0].n !== n) wrong++;
          if (two.rows[0].a !== 'c' + i || two.rows[0].b !== n) wrong++;
        }
        await client.end();
        return wrong;
      }));
      print(wrong.reduce((a, b) => a + b));
    `);

  test('twenty clients in each of two processes get the answers to their own queries', async () => {
    const wrong = await Promise.all([
      firstLine(answers(database.url, 0)),
      firstLine(answers(database.url, 1_000)),
    ]);
    expect(wrong).toEqual([0, 0]);
  });

  test('transactions of two processes run one after the other', async () => {
    await pool.query('create table counter (n int); insert into counter values (0)');
    const increments = script(increment(database.url));
    const others = script(increment(database.url));
    expect(await Promise.all([firstLine(increments), firstLine(others)])).toEqual(['done', 'done']);
    const { rows } = await pool.query<{ n: number }>('select n from counter');
    expect(rows).toEqual([{ n: 200 }]);
  });

  /** Reads and writes back without a lock: any interleaving loses an increment. */
  const increment = (url: string): string => `
    const pool = new pg.Pool({ connectionString: ${JSON.stringify(url)}, max: 5 });
    await Promise.all(Array.from({ length: 100 }, async () => {
      const client = await pool.connect();
      await client.query('begin');
      const { rows } = await client.query('select n from counter');
      await client.query('update counter set n = $1', [rows[0].n + 1]);
      await client.query('commit');
      client.release();
    }));
    await pool.end();
    print('done');
  `;

  test('a client killed in mid-transaction is rolled back and stops nobody', async () => {
    await pool.query('create table half (n int)');
    const victim = script(`
      const client = new pg.Client(${JSON.stringify(database.url)});
      await client.connect();
      await client.query('begin');
      await client.query('insert into half values ($1)', [1]);
      print(process.pid);
      setInterval(() => {}, 1000);
    `);
    const pid = (await firstLine(victim)) as number;
    const waiting = pool.query('select count(*)::int as n from half');
    await killed(pid);
    expect((await waiting).rows).toEqual([{ n: 0 }]);
  });

  test('a client that goes away between Execute and Sync leaves nothing behind', async () => {
    await pool.query('create table unsynced (n int)');
    const { port } = new URL(database.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(startup('postgres', 'postgres'));
    await once(socket, 'data');
    const flushed = once(socket, 'data');
    socket.write(
      Buffer.concat([
        wire('P', '\0insert into unsynced values (1)\0\0\0'),
        wire('B', '\0\0\0\0\0\0\0\0'),
        wire('E', '\0\0\0\0\0'),
        wire('H', ''),
      ]),
    );
    await flushed;
    socket.destroy();
    const { rows } = await pool.query('select count(*)::int as n from unsynced');
    expect(rows).toEqual([{ n: 0 }]);
  });

  test('prepared statements are their connection’s own, and go with it', async () => {
    const connections = [new pg.Client(database.url), new pg.Client(database.url)];
    const sums = await Promise.all(
      connections.map(async (client, index) => {
        await client.connect();
        const query = { name: 'sum', text: `SELECT $1::int + ${index} AS sum` };
        const ask = async (value: number) =>
          (await client.query<{ sum: number }>({ ...query, values: [value] })).rows[0]?.sum;
        return [await ask(10), await ask(20)];
      }),
    );
    expect(sums).toEqual([
      [10, 20],
      [11, 21],
    ]);
    await Promise.all(connections.map((client) => client.end()));
    const kept = async () =>
      (await pool.query("SELECT 1 FROM pg_prepared_statements WHERE name <> ''")).rowCount;
    await expect.poll(kept).toBe(0);
  });

  test('what PGlite cannot do fails for its client alone', async () => {
    await pool.query('create table copied (n int)');
    await expect(pool.query('copy copied from stdin')).rejects.toThrow('not served');
    expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
  });

  test('a large value crosses the wire whole', async () => {
    const text = 'ä'.repeat(3_000_000);
    const { rows } = await pool.query<{ text: string }>('select $1::text as text', [text]);
    expect(rows[0]?.text === text).toBe(true);
  });

  test('a hundred connections are served and the next one is told so', async () => {
    const clients = Array.from({ length: 100 }, () => new pg.Client(database.url));
    const before = pool.totalCount;
    const outcomes = await Promise.allSettled(clients.map((client) => client.connect()));
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(before);
    await expect(new pg.Client(database.url).connect()).rejects.toMatchObject({ code: '53300' });
    await Promise.all(clients.map((client) => client.end()));
  });

  test('bytes that are not the protocol end their connection alone', async () => {
    const socket = connect(Number(new URL(database.url).port), '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
  });

  const wire = (type: string, body: string): Buffer => {
    const bytes = Buffer.alloc(5 + body.length);
    bytes.write(type);
    bytes.writeUInt32BE(4 + body.length, 1);
    bytes.write(body, 5, 'latin1');
    return bytes;
  };
});

test('a client that idles in a transaction is thrown out, and what it sends later is not run', async () => {
  const db = await PGlite.create();
  const session = await shareSession(db, {
    idleInTransactionMs: 20,
    onBroken: (error) => expect.unreachable(error.message),
  });
  const idler = sessionClient(session);
  const kept = query(
    `select case when to_regclass('kept') is null then 'rolled back' else 'kept' end`,
  );
  const other = sessionClient(session);
  session.submit(idler, query('begin; create table kept (n int)'));
  session.submit(other, kept);
  await expect.poll(() => other.received).toContain('rolled back');
  expect(idler.received).toContain('25P03');
  session.submit(idler, query('create table kept (n int)'));
  session.submit(other, kept);
  await expect.poll(() => other.received).toMatch(/rolled back[^]*rolled back/);
  await session.close();
  await db.close();
});

test('where PGlite itself breaks down, that request and all later ones fail', async () => {
  const db = await openPglite(null);
  const levels = 200_000;
  const broken = (sql: string) =>
    expect(
      db.execProtocolRawStream(simpleQuery(sql), { onRawData: () => undefined }),
    ).rejects.toThrow('PGlite broke down: RangeError');
  await db.exec('SELECT 1');
  await expect(db.exec('SELECT nothing')).rejects.toThrow('"nothing" does not exist');
  await broken(`SELECT '${'['.repeat(levels)}${']'.repeat(levels)}'::json`);
  await broken('SELECT 1');
});

test('a database that breaks down under a statement ends, says why, and confirms nothing', async () => {
  const { url, exited } = await startTestPglite();
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  const deep = '['.repeat(200_000) + ']'.repeat(200_000);
  await expect(client.query('SELECT $1::jsonb IS NULL', [deep])).rejects.toThrow('Connection');
  expect((await exited).reason).toContain('PGlite broke down');
});

test('a database that does not answer any more is killed', async () => {
  const patience = { everyMs: 10, answerMs: 500, misses: 2 };
  const { pid, exited } = await startPglite({ dataDir: null, patience });
  process.kill(pid, 'SIGSTOP');
  expect(await exited).toEqual({
    code: null,
    signal: 'SIGKILL',
    reason: 'it did not answer any more and was killed',
  });
});

function query(sql: string): Unit {
  return { bytes: simpleQuery(sql), synced: true };
}

function sessionClient(session: Session): SessionClient & { received: string } {
  return {
    received: '',
    send(bytes) {
      this.received += bytes.toString('latin1');
    },
    end(bytes) {
      session.leave(this);
      this.received += bytes.toString('latin1');
    },
  };
}

describe('the data directory', () => {
  const started: RunningPglite[] = [];
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'turnkeeper-pglite-'));
  });

  afterEach(async () => {
    await Promise.all(started.splice(0).map((database) => database.stop()));
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  async function start(dataDir = dir): Promise<RunningPglite> {
    const database = await startPglite({ dataDir });
    started.push(database);
    return database;
  }

  async function holderPid(): Promise<number> {
    const holder = JSON.parse(await readFile(join(dir, 'turnkeeper.lock'), 'utf8')) as {
      pid: number;
    };
    return holder.pid;
  }

  async function query(url: string, sql: string): Promise<unknown[]> {
    const client = new pg.Client(url);
    await client.connect();
    const { rows } = await client.query(sql);
    await client.end();
    return rows as unknown[];
  }

  test('a second process is refused while the first one lives', async () => {
    await start();
    const error: unknown = await startPglite({ dataDir: dir }).catch((refusal: unknown) => refusal);
    expect(isTurnkeeperError(error, 'data_dir_in_use')).toBe(true);
    expect(String(error)).toContain(`${dir} is used by process ${await holderPid()}.`);
  });

  test('rows are there again after a stop', async () => {
    const first = await start();
    await query(first.url, 'create table kept as select 1 as n');
    await first.stop();
    const second = await start();
    expect(await query(second.url, 'select n from kept')).toEqual([{ n: 1 }]);
  });

  test('a server killed while writing loses no acknowledged row, and a new one starts', async () => {
    const { url } = await start();
    await query(url, 'create table written (n int primary key)');
    const client = new pg.Client(url);
    client.on('error', () => undefined);
    await client.connect();
    let acknowledged = 0;
    const writing = (async () => {
      for (;;) {
        await client.query('insert into written values ($1)', [acknowledged + 1]);
        acknowledged++;
      }
    })().catch(() => undefined);
    await expect.poll(() => acknowledged).toBeGreaterThan(50);
    await killed(await holderPid());
    await writing;
    const again = await start();
    const rows = await query(again.url, `select n from written where n <= ${acknowledged}`);
    expect(rows).toHaveLength(acknowledged);
  });

  test('of several that take over from a dead holder one wins', async () => {
    await start();
    await killed(await holderPid());
    const outcomes = await Promise.allSettled([start(), start(), start()]);
    const refusals = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [isTurnkeeperError(outcome.reason, 'data_dir_in_use')] : [],
    );
    expect(refusals).toEqual([true, true]);
  });

  test('the pid of a dead holder given to another process does not lock anybody out', async () => {
    const stale = { pid: process.pid, started: 'long ago', host: hostname() };
    await writeFile(join(dir, 'turnkeeper.lock'), JSON.stringify(stale));
    await expect(start()).resolves.toBeDefined();
  });

  test('a creation that was cut off is done again', async () => {
    const cut = join(dir, 'cut');
    await mkdir(join(cut, 'pgdata'), { recursive: true });
    await writeFile(join(cut, 'pgdata', 'PG_VERSION'), '18\n');
    const { url } = await start(cut);
    expect(await query(url, 'select 1 as n')).toEqual([{ n: 1 }]);
  });

  test('the database goes when the process that started it is killed', async () => {
    const parent = script(`
      import { startPglite } from ${JSON.stringify(START)};
      await startPglite({ dataDir: ${JSON.stringify(dir)} });
      print(process.pid);
    `);
    const parentPid = (await firstLine(parent)) as number;
    const pid = await holderPid();
    await killed(parentPid);
    await gone(pid);
    await expect(readFile(join(dir, 'turnkeeper.lock'))).rejects.toThrow('ENOENT');
  });

  test('a directory that cannot be made is a failure of the service', async () => {
    const error: unknown = await startPglite({ dataDir: '/dev/null/x' }).catch((e: unknown) => e);
    expect(isTurnkeeperError(error, 'service_failed')).toBe(true);
  });
});
