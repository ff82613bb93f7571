import { afterAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import { composeClient } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import type { JsonObject } from '../../src/contracts/json.ts';
import type { ScriptedCall, ScriptStep } from '../../src/dev/offline-model/script.ts';
import { SANDBOXES, useSandbox } from '../support/sandboxes.ts';
import { inputOf, runTurn, toolOutputs, useWorld, type EndedTurn } from '../support/turns.ts';
import type { World } from '../support/world.ts';

const ASSISTANT = { tools: ['run_code'] };
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

const answer: ScriptStep = { kind: 'answer', text: 'Done.' };
const python = (code: string, ...files: JsonObject[]): JsonObject => ({
  language: 'python',
  code,
  files,
});
const calling = (calls: Record<string, JsonObject>): ScriptStep => ({
  kind: 'calls',
  chunks: 1,
  calls: Object.entries(calls).map(([callId, given]): ScriptedCall => ({
    name: 'run_code',
    arguments: given,
    callId,
  })),
});

/** A turn in which the model asks for code and answers; what it was told of each call. */
async function runCode(world: World, calls: Record<string, JsonObject>) {
  const script = [calling(calls), answer];
  const turn = await runTurn(world, { assistant: ASSISTANT, script });
  expect(turn).toMatchObject({ status: 'completed', answer: 'Done.' });
  return { turn, told: toldIn(turn) };
}

function toldIn(turn: EndedTurn): Record<string, JsonObject> {
  const outputs = toolOutputs(inputOf(turn.requests.at(-1)));
  return Object.fromEntries(
    outputs.map(([callId, output]) => [callId, JSON.parse(output) as JsonObject]),
  );
}

interface Artifact {
  name: string;
  file_id: string;
}

function artifactsOf(output: JsonObject | undefined): Artifact[] {
  return output?.['artifacts'] as Artifact[] & JsonObject[];
}

const MAKE_TABLE = python(`
with open('squares.csv', 'w') as table:
    table.write('n,square\\n7,49\\n')
print(6 * 7)
`);

describe.each(SANDBOXES)('a turn whose model asks for code, on %s', (kind) => {
  const host = useSandbox(kind);
  const world = useWorld(() => host.env());
  const others: Turnkeeper[] = [];
  afterAll(() => Promise.all(others.map((client) => client.close())));

  async function ofTenant(tenant: string): Promise<World> {
    const config = loadConfig({ ...process.env, ...world.current.env });
    const turnkeeper = await composeClient(config, { logger: SILENT, tenant });
    others.push(turnkeeper);
    return { ...world.current, turnkeeper };
  }

  it('gets what the code printed, and a file that the backend can read', async () => {
    const { turn, told } = await runCode(world.current, { c1: MAKE_TABLE });
    expect(told['c1']).toMatchObject({ stdout: '42\n', stderr: '', exit_code: 0, limit: null });
    const [artifact] = artifactsOf(told['c1']);
    const { files } = world.current.turnkeeper;
    const record = await files.get(artifact?.file_id ?? '');
    const expected = { turnId: turn.id, name: 'squares.csv', mediaType: 'text/csv', bytes: 14 };
    expect(record).toMatchObject(expected);
    expect(String(await files.read(record.id))).toBe('n,square\n7,49\n');
    expect((await files.list({ turnId: turn.id })).data).toEqual([record]);
    const step = turn.steps.find(({ key }) => key === 'tool:c1');
    expect(step).toMatchObject({ status: 'completed', tool: { outcome: 'succeeded' } });
  });

  it('may give the file to later code', async () => {
    const first = await runCode(world.current, { c1: MAKE_TABLE });
    const [artifact] = artifactsOf(first.told['c1']);
    const file_id = artifact?.file_id ?? '';
    const { told } = await runCode(world.current, {
      c2: python("print(open('squares.csv').read().splitlines()[1])", { file_id }),
      c3: python("print(len(open('again.csv').read()))", { file_id, name: 'again.csv' }),
    });
    expect(told['c2']).toMatchObject({ stdout: '7,49\n', artifacts: [], refused: [] });
    expect(told['c3']).toMatchObject({ stdout: '14\n', artifacts: [] });
  });

  it('learns of code that fails by its exit code', async () => {
    const { turn, told } = await runCode(world.current, {
      python: python('import sys; print("so far"); sys.exit(3)'),
      bash: { language: 'bash', code: 'echo out; echo err >&2; kill -9 $$' },
    });
    expect(told['python']).toMatchObject({ stdout: 'so far\n', exit_code: 3 });
    expect(told['bash']).toMatchObject({ stdout: 'out\n', stderr: 'err\n' });
    expect(told['bash']?.['exit_code']).not.toBe(0);
    const outcomes = turn.steps.flatMap(({ tool }) => (tool ? [tool.outcome] : []));
    expect(outcomes).toEqual(['succeeded', 'succeeded']);
  });

  it("can neither read nor use another tenant's file", async () => {
    const { told } = await runCode(world.current, { c1: MAKE_TABLE });
    const [artifact] = artifactsOf(told['c1']);
    const file_id = artifact?.file_id ?? '';
    const other = await ofTenant(`tenant-${kind}`);
    const notFound = { code: 'file_not_found' };
    await expect(other.turnkeeper.files.get(file_id)).rejects.toMatchObject(notFound);
    await expect(other.turnkeeper.files.read(file_id)).rejects.toMatchObject(notFound);
    const stolen = await runCode(other, { c2: python('print(1)', { file_id }) });
    const message = expect.stringContaining(`There is no file ${file_id}`) as string;
    expect(stolen.told['c2']).toMatchObject({ error: { type: 'tool_error', message } });
    expect((await other.turnkeeper.files.list()).data).toEqual([]);
  });

  it('is told what is wrong with its calls, and nothing is stored for them', async () => {
    const file = (name: string) => ({ name, content: 'x' });
    const { turn, told } = await runCode(world.current, {
      language: { language: 'cobol', code: 'x' },
      length: python('x = 1\n'.repeat(200_000)),
      path: python('print(1)', file('../escape')),
      line: python('print(1)', file('two\nlines')),
      twice: python('print(1)', file('a'), file('a')),
    });
    const types = Object.fromEntries(
      Object.entries(told).map(([callId, { error }]) => [callId, (error as JsonObject)['type']]),
    );
    expect(types).toEqual({
      language: 'invalid_arguments',
      length: 'invalid_arguments',
      path: 'tool_error',
      line: 'tool_error',
      twice: 'tool_error',
    });
    expect((await world.current.turnkeeper.files.list({ turnId: turn.id })).data).toEqual([]);
  });

  it('reads no more of endless and binary output than a model may', async () => {
    const code = "import os; os.write(1, bytes(range(256)) * 4000); os.write(2, b'\\x00' * 200000)";
    const { told } = await runCode(world.current, { c1: python(code) });
    expect(told['c1']).toMatchObject({ truncated: true });
    expect(JSON.stringify(told['c1']).length).toBeLessThanOrEqual(262_144);
    expect(String(told['c1']?.['stdout'])).toContain('\ufffd');
  });

  it('gets of very many files those that are allowed, and hears of the others', async () => {
    const code = `
import os
for n in range(10_000):
    open(f'{n:05}.txt', 'w').write(str(n))
os.symlink('/etc/passwd', '0.link')
open('new\\nline', 'w').close()
`;
    const { turn, told } = await runCode(world.current, { c1: python(code) });
    const { artifacts } = host.sandbox.limits;
    expect(artifactsOf(told['c1'])).toHaveLength(artifacts);
    const reasons = told['c1']?.['refused'] as { name: string; reason: string }[] & JsonObject[];
    expect(reasons).toContainEqual({ name: '0.link', reason: 'is a link' });
    const { data } = await world.current.turnkeeper.files.list({ turnId: turn.id, limit: 100 });
    expect(data).toHaveLength(artifacts);
  });
});

describe('a worker without a sandbox', () => {
  const world = useWorld(() => ({ TURNKEEPER_SANDBOX: 'none' }));

  it('says so at start, refuses code with what to do, and the turn goes on', async () => {
    const { turn, told } = await runCode(world.current, { c1: python('print(1)') });
    const reason = 'TURNKEEPER_SANDBOX is none.';
    const message = `Code is refused: ${reason}`;
    expect(told['c1']).toEqual({ error: { type: 'tool_unavailable', message } });
    const step = turn.steps.find(({ key }) => key === 'tool:c1');
    expect(step).toMatchObject({ attempts: 1, error: { reason: 'tool_unavailable', message } });
    const line = `sandbox     none, code is refused: ${reason}`;
    expect(world.worker.output()).toContain(line);
  });
});
