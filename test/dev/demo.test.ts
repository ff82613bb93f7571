import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import type { Json } from '../../src/contracts/json.ts';
import type { ToolContext } from '../../src/contracts/tools.ts';
import { chooseQuestions } from '../../src/dev/demo/questions.ts';
import { openTerminal, printable } from '../../src/dev/services/terminal.ts';
import { tools } from '../../src/dev/demo/tools.ts';
import type { TurnReport } from '../../src/dev/demo/turn-record.ts';
import { connect } from '../../src/index.ts';
import { createTools } from '../../src/tools/registry.ts';
import { hasPart, requirePart } from '../support/require-part.ts';
import { startDemo, type DemoRun } from './demo-run.ts';

const RUN_TIMEOUT_MS = 180_000;

/** Instead of the sandbox that demos of tests have. */
const DOCKER = { TURNKEEPER_SANDBOX: 'docker' };

const NUMBERS = ['workflowTasks', 'events', 'historyBytes', 'tokens', 'retries'];

interface Report {
  webUi: string;
  turns: TurnReport[];
}

function lastLine(run: DemoRun): unknown {
  return JSON.parse(run.stdout().trimEnd().split('\n').at(-1) ?? '');
}

/** A process that was told to go may take a moment to be gone. */
async function expectNothingLeft(run: DemoRun): Promise<void> {
  await vi.waitFor(async () => expect(await run.leftovers()).toEqual([]), { timeout: 10_000 });
}

const runs: DemoRun[] = [];
let folder: string;

async function demo(...args: Parameters<typeof startDemo>): Promise<DemoRun> {
  const run = await startDemo(...args);
  runs.push(run);
  return run;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnkeeper-demo-documents-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(async () => {
  await Promise.all(runs.splice(0).map((run) => run.remove()));
});

describe('the demo', () => {
  let run: DemoRun | undefined;
  let code: number | null;
  let report: Report;
  const turn = (index: number) => report.turns[index] as TurnReport;

  beforeAll(async () => {
    if (!hasPart('temporal')) return;
    run = await startDemo(['--json']);
    code = await run.ended;
    report = lastLine(run) as Report;
  }, RUN_TIMEOUT_MS);
  afterAll(() => run?.remove());
  beforeEach((context) => requirePart(context, 'temporal'));

  it('completes its turns and exits with 0', () => {
    expect(code, run?.stderr()).toBe(0);
    const statuses = report.turns.map(({ status }) => status);
    expect(statuses).toEqual(Array<string>(statuses.length).fill('completed'));
    expect(statuses).toHaveLength(hasPart('bubblewrap') ? 4 : 3);
  });

  it('computes the fourth in the sandbox, or says what is missing', () => {
    if (hasPart('bubblewrap')) {
      expect(turn(3).answer).toContain('run_code(python): 33,893 euros for 52.1 weeks');
    } else {
      expect(run?.stderr()).toMatch(/No sandbox, so no turn computes here\. /);
    }
  });

  it('prints one line of JSON on standard output, in its documented form', () => {
    expect(run?.stdout().trimEnd().split('\n')).toHaveLength(1);
    expect(Object.keys(report)).toEqual(['webUi', 'turns']);
    expect(report.webUi).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    for (const told of report.turns) {
      const { id, question, answer, sources, steps, workerKilled, status, ...rest } = told;
      const { workflowId, ...numbers } = rest;
      expect(workflowId).toBe(id);
      expect(Object.keys(numbers)).toEqual(NUMBERS);
      expect(Object.values(numbers).every(Number.isInteger)).toBe(true);
      expect(numbers.historyBytes).toBeGreaterThan(1_000);
      expect(numbers.tokens).toBeGreaterThan(0);
      expect([typeof question, typeof answer, typeof workerKilled]).toEqual([
        'string',
        'string',
        'boolean',
      ]);
      expect([Array.isArray(sources), Array.isArray(steps), status]).toEqual([
        true,
        true,
        'completed',
      ]);
    }
  });

  it('answers the first from the documents, with sources', () => {
    const { answer, sources, workflowTasks, events } = turn(0);
    expect(answer).toMatch(/^\[offline model\] .*20 weeks of leave at full pay.*\[1\]/);
    expect(sources[0]?.documentName).toBe('parental-leave.md');
    expect({ workflowTasks, events }).toEqual({ workflowTasks: 3, events: 18 });
  });

  it('runs the tool calls of the second in one round, with real results', () => {
    const { answer, steps } = turn(1);
    expect(steps.map(({ kind }) => kind)).toEqual(['respond', 'tool', 'tool', 'tool', 'respond']);
    expect(steps.map(({ tool }) => tool?.outcome)).toEqual([
      undefined,
      'succeeded',
      'succeeded',
      'succeeded',
      undefined,
    ]);
    expect(answer).toMatch(/time_in_zone\(Asia\/Tokyo\): .*\d{2}:\d{2}:\d{2} GMT\+9/);
  });

  it('kills the worker of the third in mid-answer, and another one gives the whole answer', () => {
    const { answer, retries, workerKilled, steps } = turn(2);
    expect(report.turns.slice(0, 3).map((told) => told.workerKilled)).toEqual([false, false, true]);
    expect(workerKilled && retries).toBe(1);
    expect(steps.map(({ key, attempts }) => [key, attempts])).toEqual([
      ['retrieve', 1],
      ['respond:1', 2],
    ]);
    expect(answer).toMatch(/within five minutes.*450 euros a week.*\[\d\]$/);
  });

  it('shows the kill, the rewind and the new beginning', () => {
    const shown = run?.stderr() ?? '';
    const [, before = '', after = ''] =
      /in mid-answer([^]*)was killed with SIGKILL([^]*)/.exec(shown) ?? [];
    expect(before).toContain('[offline model] While on call');
    expect(before).not.toContain('within ten minutes');
    expect(after.split('↺ rewind')).toHaveLength(2);
    expect(after.split('↺ rewind')[1]).toContain('[offline model] While on call');
  });

  it('shows a link for each turn and a table of what they cost', () => {
    const shown = run?.stderr() ?? '';
    for (const { id } of report.turns) {
      expect(shown).toContain(`${report.webUi}/namespaces/default/workflows/${id}`);
    }
    expect(shown).toMatch(/workflow +history\n +turn +tasks +events +bytes +tokens +retries\n/);
    // Nothing of a terminal's language goes into a pipe.
    expect(shown).not.toContain('\u001b');
  });

  it('leaves no process and no file behind', async () => {
    await expectNothingLeft(run as DemoRun);
  });
});

describe('the demo with a question, a folder and a data directory of one’s own', () => {
  beforeEach((context) => requirePart(context, 'temporal'));

  it(
    'answers from the folder, stays up for other programs, and ends with 0 on SIGINT',
    async () => {
      const docs = join(folder, 'docs');
      await mkdir(join(docs, 'sub'), { recursive: true });
      await writeFile(
        join(docs, 'sub', 'ladders.md'),
        '# Ladders\n\nThe ladders are kept in the blue shed.\n',
      );
      await writeFile(join(docs, 'broken.md'), Buffer.from([0xff, 0xfe, 0x00]));
      await writeFile(join(docs, 'photo.png'), 'not text');
      const dataDir = join(folder, 'data');
      const run = await demo([
        ...['--json', '--keep', '--docs', docs, '--data-dir', dataDir],
        ...['--question', 'Where are the ladders kept?'],
      ]);
      await run.wrote('export TEMPORAL_NAMESPACE');
      await run.printed();
      const { turns } = lastLine(run) as Report;
      expect(turns).toHaveLength(1);
      expect(turns[0]).toMatchObject({
        answer: '[offline model] The ladders are kept in the blue shed. [1]',
        sources: [{ documentName: 'sub › ladders.md' }],
        retries: 0,
        workerKilled: false,
      });
      expect(run.stderr()).toMatch(/left out, for it is not text: photo\.png/);
      expect(run.stderr()).toMatch(/left out: Document broken\.md .*not/);

      expect(await answerOverExports(run.stderr(), 'Where are the ladders?')).toContain(
        'blue shed',
      );

      const second = await demo(['--json', '--data-dir', dataDir]);
      expect(await second.ended).toBe(1);
      expect(lastLine(second)).toMatchObject({ error: { code: 'data_dir_in_use' } });
      await expectNothingLeft(second);

      run.kill('SIGINT');
      expect(await run.ended).toBe(0);
      await expectNothingLeft(run);
    },
    RUN_TIMEOUT_MS,
  );

  it(
    'stops everything when it is interrupted in the middle of a turn',
    async () => {
      const run = await demo(['--json']);
      await run.wrote('1  From the documents');
      run.kill('SIGTERM');
      expect(await run.ended).toBe(143);
      expect(run.stdout()).toBe('');
      await expectNothingLeft(run);
    },
    RUN_TIMEOUT_MS,
  );
});

/** Asks as a program would that was started with the lines the demo prints. */
async function answerOverExports(shown: string, input: string): Promise<string> {
  const lines = [...shown.matchAll(/^export (\w+)=(.*)$/gm)];
  const settings = lines.map(([, name = '', value = '']) => [name, value] as const);
  const config = loadConfig(Object.fromEntries(settings));
  const turnkeeper = await connect({ config });
  try {
    const { data } = await turnkeeper.assistants.list();
    const { id: conversationId } = await turnkeeper.conversations.create();
    const assistantId = data[0]?.id ?? '';
    const { id } = await turnkeeper.turns.start({ conversationId, assistantId, input });
    return (await turnkeeper.turns.result(id)).answer;
  } finally {
    await turnkeeper.close();
  }
}

describe('the demo on real parts', () => {
  beforeEach((context) => {
    for (const part of ['temporal', 'postgres', 'qdrant-engine', 'docker'] as const)
      requirePart(context, part);
  });

  it(
    'answers from Qdrant and computes in Docker',
    async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'turnkeeper-demo-parts-'));
      // PostgreSQL's own user has to get in.
      await chmod(dataDir, 0o755);
      const rounds = process.env['FULL'] === '1' ? 2 : 1;
      for (let times = 1; times <= rounds; times++) {
        const run = await demo(['--json', '--parts', '--data-dir', dataDir], { ...DOCKER });
        expect(await run.ended, run.stderr()).toBe(0);
        const { turns } = lastLine(run) as Report;
        expect(turns[0]?.sources[0]?.documentName).toBe('parental-leave.md');
        expect(turns[3]?.answer).toContain('33,893 euros');
        expect(run.stderr()).toMatch(/PostgreSQL[^]*Qdrant's engine|Qdrant's engine[^]*PostgreSQL/);
        await expectNothingLeft(run);
      }
      await rm(dataDir, { recursive: true, force: true });
    },
    2 * RUN_TIMEOUT_MS,
  );
});

describe('the demo’s flags', () => {
  it.each([
    ['an unknown flag', ['--colour'], 'invalid_request', /Unknown option '--colour'\. .*--help/],
    [
      'a flag without its value',
      ['--question'],
      'invalid_request',
      /'--question <value>' argument missing/,
    ],
    [
      'a folder that is not there',
      ['--docs', '/nowhere'],
      'invalid_request',
      /\/nowhere, which is no folder/,
    ],
    [
      'a model that is nowhere',
      ['--model', 'gpt-5'],
      'missing_setting',
      /--model gpt-5 needs OPENAI_API_KEY/,
    ],
  ])('refuse %s before anything is started', async (_, args, code, message) => {
    const run = await demo(['--json', ...args]);
    expect(await run.ended).toBe(1);
    expect(lastLine(run)).toEqual({
      error: { code, message: expect.stringMatching(message) as string },
    });
    expect(run.stderr()).toMatch(message);
    expect(run.stderr()).not.toContain('starting');
    await expectNothingLeft(run);
  });

  it('are listed by --help', async () => {
    const run = await demo(['--help']);
    expect(await run.ended).toBe(0);
    for (const flag of ['question', 'docs', 'model', 'data-dir', 'parts', 'keep', 'json']) {
      expect(run.stdout()).toContain(`--${flag}`);
    }
  });
});

describe('what the demo shows', () => {
  function screen(columns: number, isTTY: boolean) {
    const written: string[] = [];
    const stream = {
      isTTY,
      columns,
      hasColors: () => false,
      write: (text: string) => written.push(text),
    };
    return { terminal: openTerminal(stream, { dumb: false }), written };
  }

  it('is running text, shown word by word on a terminal and wrapped to its width', () => {
    const { terminal, written } = screen(20, true);
    for (const piece of ['one tw', 'o three ', 'four', ' five\nsix']) terminal.text(piece);
    terminal.line('end');
    expect(written.slice(0, 2)).toEqual(['   one', ' two']);
    expect(written.join('')).toBe('   one two three\n   four five\n   six\nend\n');
  });

  it('is whole lines everywhere else', () => {
    const { terminal, written } = screen(20, false);
    for (const piece of ['one tw', 'o three ', 'four']) terminal.text(piece);
    terminal.line('end');
    expect(written).toEqual(['   one two three\n', '   four\n', 'end\n']);
  });

  it('is nothing that documents or models could use to move the cursor', () => {
    expect(printable('a\u001b[2Jb\rc\nd\u0007')).toBe('a [2Jb\nc\nd ');
  });

  it('is about the longest sections of two documents, where they are somebody’s own', () => {
    const file = (name: string, text: string) => ({ name, content: Buffer.from(text) });
    const own = [
      file(
        'a.md',
        '# Boats\n\nShort.\n\n## The *engine*:\n\nAs long as it takes to be the longest of all.',
      ),
      file('b.txt', 'A text without any heading at all, of more than ten words.\nMore.'),
    ];
    const questions = chooseQuestions(null, { files: own, computes: false }).map(
      ({ text }) => text,
    );
    expect(questions[0]).toBe(
      'What is said about “A text without any heading at all, of more than”?',
    );
    expect(questions[2]).toBe('What is said about “The engine” in “Boats”?');
  });
});

describe('the demo’s tool', () => {
  const [timeInZone] = tools;
  const registry = createTools(tools);
  const context = {} as ToolContext;

  it('tells the time in a zone, and that there is no such zone', () => {
    const output = timeInZone?.run({ zone: 'America/Argentina/Buenos_Aires' }, context) as Json;
    expect(registry.checkOutput('time_in_zone', output)).toBeNull();
    expect(() => timeInZone?.run({ zone: 'Europe/Atlantis' }, context)).toThrow(
      /no time zone Europe\/Atlantis/,
    );
  });

  it.each(['and/or', 'Europe', 'europe/brussels', 'Europe/Brussels now'])(
    'takes no %s for a zone',
    (zone) => {
      expect(registry.checkArguments('time_in_zone', { zone })).not.toBeNull();
    },
  );
});
