import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Json, JsonObject } from '../../src/contracts/json.ts';
import {
  SandboxUnavailable,
  type Sandbox,
  type SandboxResult,
} from '../../src/contracts/sandbox.ts';
import { StoreUnavailable, type FileStore } from '../../src/contracts/store.ts';
import type { ToolContext } from '../../src/contracts/tools.ts';
import { createTools } from '../../src/tools/registry.ts';
import { refusedCodeTool, runCodeTool } from '../../src/tools/run-code.ts';
import { newTalk, startWorld, type World } from '../client/world.ts';

const UNKNOWN = '01890000-0000-7000-8000-000000000000';
const MIB = 1_048_576;

let world: World;
let files: FileStore;

beforeAll(async () => {
  world = await startWorld();
  ({ files } = world.store);
});
afterAll(() => world.stop());

const RESULT: SandboxResult = {
  exitCode: 0,
  stdout: '',
  stderr: '',
  truncated: false,
  limit: null,
  artifacts: [],
  refused: [],
  durationMs: 1,
};

const run = vi.fn<Sandbox['run']>();
const discard = vi.fn<Sandbox['discard']>();
const sandbox = { run, discard } as unknown as Sandbox;

beforeEach(() => {
  run.mockReset().mockResolvedValue(RESULT);
  discard.mockReset().mockResolvedValue(undefined);
});

const resultsIn = (more: Partial<SandboxResult>) => run.mockResolvedValue({ ...RESULT, ...more });

/** The surroundings of a call in a turn of its own. */
async function newContext(tenant = 'default'): Promise<ToolContext> {
  const { client } = world.client({ tenant });
  const turn = await client.turns.start({ ...(await newTalk(client)), input: 'Compute.' });
  const { id: turnId, conversationId } = turn;
  return {
    key: `${turnId}:tool:c1`,
    signal: new AbortController().signal,
    progress: () => undefined,
    turn: { tenant, turnId, conversationId, endUser: null },
  };
}

async function call(
  args: JsonObject,
  context?: ToolContext,
  store: FileStore = files,
): Promise<JsonObject> {
  const tool = runCodeTool({ sandbox, files: store });
  const output = await tool.run(args, context ?? (await newContext()));
  return output as JsonObject;
}

const python = (code: string, ...given: JsonObject[]): JsonObject => ({
  language: 'python',
  code,
  ...(given.length > 0 && { files: given }),
});

const text = (name: string, content: string) => ({ name, content: Buffer.from(content) });

async function artifactOf(context: ToolContext, name: string, content: string) {
  resultsIn({ artifacts: [text(name, content)] });
  const { artifacts } = await call(python('make it'), context);
  const [artifact] = artifacts as { file_id: string; media_type: string }[];
  if (!artifact) throw new Error('No artifact came out.');
  return artifact;
}

const sentFiles = () =>
  run.mock.lastCall?.[0].files.map((file) => [file.name, String(file.content)]);

describe('a call of run_code', () => {
  it('runs the code under the key of the call and tells what came of it', async () => {
    resultsIn({ exitCode: 3, stdout: '42\n', stderr: 'careful' });
    const context = await newContext();
    const output = await call(python('print(6 * 7)', { name: 'a.txt', content: 'ä' }), context);
    expect(output).toEqual({
      stdout: '42\n',
      stderr: 'careful',
      exit_code: 3,
      limit: null,
      truncated: false,
      artifacts: [],
      refused: [],
    });
    const { key, signal } = context;
    const request = { key, language: 'python', code: 'print(6 * 7)', timeoutMs: 60_000 };
    expect(run).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(request), { signal });
    expect(sentFiles()).toEqual([['a.txt', 'ä']]);
  });

  it('tells which limit ended the code, and what did not come out', async () => {
    const refused = [{ name: 'passwd', reason: 'is a link' }];
    resultsIn({ exitCode: null, limit: 'memory', truncated: true, refused });
    const output = await call(python('x'));
    expect(output).toMatchObject({ exit_code: null, limit: 'memory', truncated: true, refused });
  });

  it('has more time than the code', () => {
    expect(runCodeTool({ sandbox, files }).timeoutMs).toBeGreaterThan(60_000);
  });

  it('lets the sandbox forget the result once it is settled, and not before', async () => {
    const context = await newContext();
    await call(python('x'), context);
    expect(discard).not.toHaveBeenCalled();
    await runCodeTool({ sandbox, files }).settled?.({ key: context.key });
    expect(discard).toHaveBeenCalledExactlyOnceWith(context.key);
  });
});

describe('what code made', () => {
  const OCTETS = 'application/octet-stream';

  it('is stored as files of the turn', async () => {
    const context = await newContext();
    const names = ['chart.PNG', 'table.csv', 'notes', 'x.constructor', 'page.html'];
    resultsIn({ artifacts: names.map((name) => text(name, `content of ${name}`)) });
    const { artifacts } = await call(python('x'), context);
    const { turnId } = context.turn;
    const { data: stored } = await files.list('default', { turnId }, {});
    expect(stored).toHaveLength(names.length);
    const types = ['image/png', 'text/csv', OCTETS, OCTETS, 'text/html'];
    expect(artifacts).toEqual(
      names.map((name, index) => ({
        name,
        file_id: stored.find((file) => file.name === name)?.id,
        bytes: `content of ${name}`.length,
        media_type: types[index],
      })),
    );
  });

  it('is the same file when the same result is collected once more', async () => {
    const context = await newContext();
    const first = await artifactOf(context, 'a.csv', '1');
    expect(await artifactOf(context, 'a.csv', '1')).toEqual(first);
  });

  it('is another file when another run made something else', async () => {
    const context = await newContext();
    const first = await artifactOf(context, 'a.csv', '1');
    const second = await artifactOf(context, 'a.csv', '2');
    expect(second.file_id).not.toBe(first.file_id);
    expect(String(await files.read('default', second.file_id))).toBe('2');
  });

  it('can be used by a later call, under its own name or another', async () => {
    const { file_id } = await artifactOf(await newContext(), 'a.csv', '1,2');
    await call(python('x', { file_id }, { file_id, name: 'b.csv' }));
    expect(sentFiles()).toEqual([
      ['a.csv', '1,2'],
      ['b.csv', '1,2'],
    ]);
  });

  it("is not found by another tenant's code, nor is a file that never was", async () => {
    const { file_id } = await artifactOf(await newContext(), 'a.csv', '1,2');
    run.mockClear();
    const others = await newContext('other');
    for (const [id, context] of [
      [file_id, others],
      [UNKNOWN, undefined],
    ] as const) {
      const refused = call(python('x', { file_id: id }), context);
      await expect(refused).rejects.toMatchObject({ code: 'file_not_found' });
    }
    expect(run).not.toHaveBeenCalled();
  });

  it('is not read when all of it together is too much', async () => {
    const big = { name: 'big', content: 'x'.repeat(20 * MIB) };
    const refused = call(python('x', big, { ...big, name: 'bigger' }));
    await expect(refused).rejects.toThrow('The files have 41943040 bytes; 33554432 are allowed.');
    expect(run).not.toHaveBeenCalled();
  });
});

describe('output that is more than a model may read', () => {
  const LIMIT = 262_144;
  const noisy = async (stdout: string, stderr: string) => {
    resultsIn({ stdout, stderr });
    const output = await call(python('x'));
    expect(JSON.stringify(output).length).toBeLessThanOrEqual(LIMIT);
    expect(stdout.startsWith(String(output['stdout']))).toBe(true);
    expect(stderr.startsWith(String(output['stderr']))).toBe(true);
    const { stdout: out, stderr: err, truncated } = output;
    return { out: String(out).length, err: String(err).length, truncated };
  };

  it.each<[string, string, string]>([
    ['plain', 'x', 'y'],
    ['binary', '\u0001', '\ufffd'],
    ['of quotes', '"', '\\'],
    ['of pairs', '😀', '\ud83d'],
  ])('is cut when it is %s', async (_, out, err) => {
    const cut = await noisy(out.repeat(LIMIT), err.repeat(LIMIT));
    expect(cut).toMatchObject({ truncated: true });
    expect(Math.min(cut.out, cut.err)).toBeGreaterThan(20_000);
  });

  it('is whole as long as both fit together', async () => {
    const whole = await noisy('x'.repeat(250_000), 'short');
    expect(whole).toEqual({ out: 250_000, err: 5, truncated: false });
  });

  it('leaves to one what the other does not need', async () => {
    const { out, err } = await noisy('x'.repeat(1_000), 'y'.repeat(LIMIT));
    expect(out).toBe(1_000);
    expect(err).toBeGreaterThan(260_000);
  });
});

describe('a sandbox that is away', () => {
  const thrownBy = (work: Promise<unknown>) => work.catch((error: unknown) => error);

  it.each([
    ['engine_lost', true],
    ['engine_missing', false],
    ['image_missing', false],
    ['program_missing', false],
  ] as const)('for %s is worth another attempt: %s', async (reason, retryable) => {
    const cause = new SandboxUnavailable(reason, 'Run docker/sandbox/build.sh.');
    run.mockRejectedValue(cause);
    const message = 'The sandbox is not available now.';
    const away = { name: 'ToolUnavailable', message, retryable, cause };
    expect(await thrownBy(call(python('x')))).toMatchObject(away);
  });

  it('is told from a database that is away', async () => {
    const cause = new StoreUnavailable(new Error('connection refused'));
    const away = { name: 'ToolUnavailable', retryable: true, cause };
    const broken = {
      ...files,
      create: () => Promise.reject(cause),
      get: () => Promise.reject(cause),
    };
    resultsIn({ artifacts: [text('a', '1')] });
    expect(await thrownBy(call(python('x'), undefined, broken))).toMatchObject(away);
    const given = python('x', { file_id: UNKNOWN });
    expect(await thrownBy(call(given, undefined, broken))).toMatchObject(away);
  });

  it('is told from a request that it refuses', async () => {
    const mistake = new Error('Sandbox: files have the name "..", which is a folder.');
    run.mockRejectedValue(mistake);
    expect(await thrownBy(call(python('x')))).toBe(mistake);
  });

  it('and was never there, refuses code with what to install', async () => {
    const tool = refusedCodeTool('Install bubblewrap.');
    const context = await newContext();
    expect(() => tool.run(python('x'), context)).toThrow(
      expect.objectContaining({
        name: 'ToolUnavailable',
        message: 'Code is refused: Install bubblewrap.',
        retryable: false,
      }),
    );
  });
});

describe('arguments of run_code', () => {
  const mistakes = (args: Json) =>
    createTools([runCodeTool({ sandbox, files })]).checkArguments('run_code', args);
  const withFile = (file: Json) => mistakes({ language: 'bash', code: 'ls', files: [file] });

  it('may have files, given or stored', () => {
    expect(mistakes({ language: 'javascript', code: '1' })).toBeNull();
    expect(withFile({ name: 'a', content: '' })).toBeNull();
    expect(withFile({ file_id: UNKNOWN })).toBeNull();
    expect(withFile({ file_id: UNKNOWN, name: 'a' })).toBeNull();
  });

  it.each<[string, Json]>([
    ['no code', { language: 'python' }],
    ['empty code', { language: 'python', code: '' }],
    ['10 MB of code', { language: 'python', code: 'x'.repeat(10_000_000) }],
    ['another language', { language: 'cobol', code: 'x' }],
    ['a time-out', { language: 'python', code: 'x', timeout: 1 }],
  ])('are refused with %s', (_, args) => {
    expect(mistakes(args)).not.toBeNull();
  });

  it.each<[string, Json]>([
    ['neither content nor id', { name: 'a' }],
    ['both content and id', { name: 'a', content: 'x', file_id: UNKNOWN }],
    ['content without a name', { content: 'x' }],
    ['an empty name', { name: '', content: 'x' }],
    ['an id that is none', { file_id: '../a' }],
    ['an id in another form', { file_id: `urn:uuid:${UNKNOWN}` }],
    ['text instead of an object', 'a.txt'],
  ])('are refused with a file of %s', (_, file) => {
    expect(withFile(file)).not.toBeNull();
  });

  it('are refused with very many files', () => {
    const given = Array.from({ length: 10_000 }, (_, n) => ({ name: `${n}`, content: '' }));
    expect(mistakes({ language: 'bash', code: 'ls', files: given })).not.toBeNull();
  });
});
