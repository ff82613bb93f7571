import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const rules = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as {
  forbidden: { name: string; severity: string }[];
};

/** A file that breaks the rule, by the module it imports; a second file where it takes two. */
const PLANTS: Record<
  string,
  [file: string, imports: string, other?: [file: string, imports: string]]
> = {
  contracts: ['src/contracts/planted.ts', '../conversation/stub.ts'],
  conversation: ['src/conversation/planted.ts', '../store/stub.ts'],
  workflows: ['src/workflows/planted.ts', '../conversation/stub.ts'],
  activities: ['src/activities/planted.ts', '../store/stub.ts'],
  store: ['src/store/planted.ts', '../model/stub.ts'],
  model: ['src/model/planted.ts', '../store/stub.ts'],
  retrieval: ['src/retrieval/planted.ts', '../model/stub.ts'],
  sandbox: ['src/sandbox/planted.ts', '../store/stub.ts'],
  encryption: ['src/encryption/planted.ts', '../store/stub.ts'],
  commands: ['src/commands/planted.ts', '../store/stub.ts'],
  'json-schema': ['src/json-schema/planted.ts', '../conversation/stub.ts'],
  tools: ['src/tools/planted.ts', 'pg'],
  telemetry: ['src/telemetry/planted.ts', '../config.ts'],
  recovery: ['src/recovery/planted.ts', '../conversation/stub.ts'],
  client: ['src/client/planted.ts', '../store/stub.ts'],
  gateway: ['src/gateway/planted.ts', '../store/stub.ts'],
  loop: ['src/conversation/loop.ts', './stub.ts'],
  config: ['src/config/planted.ts', '../store/stub.ts'],
  'dev-stays-home': ['src/compose.ts', './dev/stub.ts'],
  'test-stays-home': ['src/dev/planted.ts', '../../test/support/stub.ts'],
  'temporal-client': ['src/index.ts', '@temporalio/client'],
  'no-cycles': ['src/dev/one.ts', './two.ts', ['src/dev/two.ts', './one.ts']],
  'no-dev-dependencies': ['src/worker.ts', 'fast-check'],
  'no-unknown-modules': ['src/dev/lost.ts', './nowhere.ts'],
};

/** What a rule must let through. */
const ALLOWED: [file: string, imports: string][] = [
  ['src/conversation/allowed.ts', 'gpt-tokenizer'],
  ['src/workflows/allowed.ts', '../conversation/loop.ts'],
  ['src/store/allowed.ts', 'node:crypto'],
  ['src/client/allowed.ts', '@temporalio/client'],
  ['src/model/allowed.ts', '@huggingface/transformers'],
  ['src/gateway/allowed.ts', '@fastify/swagger'],
  ['src/dev/allowed.ts', 'fast-check'],
  ['test/unit/allowed.test.ts', '../../src/dev/stub.ts'],
];

interface Violation {
  from: string;
  rule: { name: string };
}

async function cruise(folder: string, ...paths: string[]): Promise<Violation[]> {
  const bin = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const config = join(ROOT, '.dependency-cruiser.cjs');
  const args = [bin, ...paths, '--config', config, '--output-type', 'json'];
  const options = { cwd: folder, maxBuffer: 64 * 1024 * 1024 };
  // It exits with the number of violations, and has said all it knows by then.
  const { stdout } = await run(process.execPath, args, options).catch(
    (error: unknown) => error as { stdout: string },
  );
  return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
}

async function put(folder: string, file: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await writeFile(join(folder, file), text);
}

/** A tree laid out like ours, of files that hold one import each. */
async function plant(folder: string): Promise<void> {
  for (const file of ['tsconfig.json', 'package.json'])
    await cp(join(ROOT, file), join(folder, file));
  for (const room of ['conversation', 'store', 'model', 'dev']) {
    await put(folder, `src/${room}/stub.ts`, 'export const stub = 1;\n');
  }
  await put(folder, 'src/config.ts', 'export const config = 1;\n');
  await put(folder, 'test/support/stub.ts', 'export const stub = 1;\n');
  const files = [...Object.values(PLANTS), ...ALLOWED];
  for (const [file, imports, other] of files) {
    await put(folder, file, `import '${imports}';\n`);
    if (other) await put(folder, other[0], `import '${other[1]}';\n`);
    if (/^[@a-z]/.test(imports) && !imports.startsWith('node:')) {
      await put(folder, `node_modules/${imports}/package.json`, '{"main": "index.js"}');
      await put(folder, `node_modules/${imports}/index.js`, '');
    }
  }
}

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnkeeper-imports-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('import rules', () => {
  let found: Violation[];

  beforeAll(async () => {
    await plant(folder);
    found = await cruise(folder, 'src', 'test');
  });

  it('are all put to the test here', () => {
    const names = rules.forbidden.map(({ name }) => name);
    expect(Object.keys(PLANTS).sort()).toEqual([...names].sort());
  });

  it.each(Object.entries(PLANTS))('%s: a planted violation is caught', (rule, [file]) => {
    const caught = found
      .filter(({ from }) => from === file)
      .map((violation) => violation.rule.name);
    expect(caught).toContain(rule);
  });

  it.each(ALLOWED)('%s may import %s', (file) => {
    expect(found.filter(({ from }) => from === file)).toEqual([]);
  });

  it('fail the check, they do not just warn', () => {
    expect(new Set(rules.forbidden.map(({ severity }) => severity))).toEqual(new Set(['error']));
  });

  it('cover every room there is', async () => {
    const entries = await readdir(join(ROOT, 'src'), { withFileTypes: true });
    const rooms = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    const covered = new Set<string>(rules.forbidden.map(({ name }) => name));
    // dev/ may import anything but test/.
    expect(rooms.filter((room) => !covered.has(room))).toEqual(['dev']);
  });

  it('are kept by the sources', async () => {
    expect(await cruise(ROOT, 'src', 'test', 'scripts')).toEqual([]);
  });

  it('are listed in docs/architecture.md, one row each', async () => {
    const markdown = await readFile(join(ROOT, 'docs/architecture.md'), 'utf8');
    const table = markdown.split('<!-- import-rules -->')[1] ?? '';
    const listed = [...table.matchAll(/^\| `([^`]+)` /gm)].map(([, name]) => name);
    expect(listed.sort()).toEqual(Object.keys(PLANTS).sort());
  });
});

describe('the workflow build', () => {
  const SDK =
    "import { proxyActivities } from '@temporalio/workflow';\nexport { proxyActivities };\n";
  const FILES: Record<string, string> = {
    'src/workflows/allowed.ts': SDK,
    'src/workflows/process.ts': 'export const seen = process.env;\n',
    'src/contracts/node-fs.ts':
      "import { readFileSync } from 'node:fs';\nexport { readFileSync };\n",
    'src/conversation/loop.ts': "export const bytes = Buffer.from('x');\n",
  };
  let errors: string[];

  beforeAll(async () => {
    const project = join(folder, 'workflow-build');
    for (const [file, source] of Object.entries(FILES)) await put(project, file, source);
    for (const file of ['tsconfig.json', 'tsconfig.workflows.json', 'package.json']) {
      await cp(join(ROOT, file), join(project, file));
    }
    await symlink(join(ROOT, 'node_modules'), join(project, 'node_modules'));
    const args = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.workflows.json'];
    const { stdout } = await run(process.execPath, args, { cwd: project }).catch(
      (error: unknown) => error as { stdout: string },
    );
    errors = stdout.split('\n');
  });

  it('compiles what a workflow is made of', () => {
    expect(errors.filter((line) => line.startsWith('src/workflows/allowed.ts'))).toEqual([]);
  });

  it.each([
    ['process', 'src/workflows/process.ts', "'process'"],
    ['node:fs', 'src/contracts/node-fs.ts', "'node:fs'"],
    ['Buffer', 'src/conversation/loop.ts', "'Buffer'"],
  ])('does not compile %s', (_, file, name) => {
    expect(errors.filter((line) => line.startsWith(file)).join()).toContain(name);
  });
});
