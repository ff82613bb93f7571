import type { Command } from 'commander';
import type { Checked } from '../contracts/checked.ts';
import { isTurnkeeperError } from '../contracts/errors.ts';

/** What cli.ts hands over. */
export interface DoctorParts {
  /**
   * Looks at the parts, then at the data; asks before it does what a wrong setting would make harm of. Rejects with
   * `TurnkeeperError` for settings that cannot be read.
   */
  examine: (options: { fix: boolean; confirm: Confirm }) => AsyncIterable<Checked>;
  /** Opens database and Temporal for the work after a restore, and closes them behind it. */
  restoring: (work: (restoring: Restoring) => Promise<void>) => Promise<void>;
  /** Asks whoever runs it; no where nobody can be asked. */
  confirm: Confirm;
  print: (line: string) => void;
}

export type Confirm = (question: string) => Promise<boolean>;

export interface Restoring {
  /** What would be done, and where; and how many workers seem to run. */
  look: () => Promise<{ turns: number; workflows: number; workers: number; where: string }>;
  run: () => Promise<{ sealed: number; terminated: number; freed: number; failed: number }>;
}

interface Options {
  fix?: boolean;
  restored?: boolean;
  yes?: boolean;
  json?: boolean;
}

const SOMETHING_WRONG = 1;

export function addDoctor(turnkeeper: Command, parts: DoctorParts): void {
  turnkeeper
    .command('doctor')
    .description('look at every part and for data that does not fit together, and say what to do')
    .option('--fix', 'mend what can be mended; nothing that users have said or made is removed')
    .option('--restored', 'after the database was restored from a backup: end what was under way')
    .option('--yes', 'do not ask: with --fix and --restored')
    .option('--json', 'for programs')
    .addHelpText('after', `\nExit code: 0 all is well, ${SOMETHING_WRONG} something is wrong.`)
    .action(async (options: Options, command: Command) => {
      const mistake = mistakeIn(options);
      if (mistake) command.error(mistake);
      process.exitCode = await doctor(parts, options);
    });
}

function mistakeIn({ fix, restored, yes }: Options): string | null {
  if (fix && restored) return 'error: --fix and --restored are two things: run one after the other';
  return yes && !fix && !restored ? 'error: --yes says nothing without --fix or --restored' : null;
}

/** The exit code. */
async function doctor(parts: DoctorParts, options: Options): Promise<number> {
  try {
    return await (options.restored ? restored(parts, options) : examined(parts, options));
  } catch (error) {
    if (!isTurnkeeperError(error)) throw error;
    const { code, message } = error;
    parts.print(options.json ? JSON.stringify({ ok: false, error: { code, message } }) : message);
    return SOMETHING_WRONG;
  }
}

async function examined(parts: DoctorParts, options: Options): Promise<number> {
  const { examine, print } = parts;
  const { fix = false, json = false } = options;
  const confirm = options.yes ? () => Promise.resolve(true) : parts.confirm;
  const checks: Checked[] = [];
  for await (const checked of examine({ fix, confirm })) {
    checks.push(checked);
    if (!json) for (const line of shown(checked)) print(line);
  }
  const ok = checks.every(({ state }) => state !== 'problem');
  if (json) print(JSON.stringify({ ok, checks }));
  return ok ? 0 : SOMETHING_WRONG;
}

const INDENT = ' '.repeat(9);

function shown({ check, state, detail, advice, examples = [] }: Checked): string[] {
  return [
    `${state.padEnd(9)}${check}: ${detail}`,
    ...(examples.length > 0 ? [`${INDENT}${examples.join(', ')}`] : []),
    ...(advice === undefined ? [] : [`${INDENT}${advice}`]),
  ];
}

async function restored(parts: DoctorParts, { yes, json }: Options): Promise<number> {
  const { restoring, confirm, print } = parts;
  let code = SOMETHING_WRONG;
  await restoring(async ({ look, run }) => {
    if (!yes && !(await confirm(questionOf(await look())))) {
      print('Nothing was changed.');
      return;
    }
    const done = await run();
    const ok = done.failed === 0;
    print(json ? JSON.stringify({ ok, ...done }) : told(done));
    if (ok) code = 0;
  });
  return code;
}

type Prospect = Awaited<ReturnType<Restoring['look']>>;

function questionOf({ turns, workflows, workers, where }: Prospect): string {
  return [
    `In ${where}:`,
    `${turns} turns are open in the database: they end as failed, restored.`,
    `At least ${workflows} workflows run that it does not want: they are terminated.`,
    ...(workers > 0
      ? [`${workers} workers have asked for work in the last minutes: stop them.`]
      : []),
    'Have all workers and clients been stopped since the restore, and is that what you want?',
  ].join('\n');
}

function told({
  sealed,
  terminated,
  freed,
  failed,
}: Awaited<ReturnType<Restoring['run']>>): string {
  const done = `${sealed} turns ended, ${terminated} workflows terminated, ${freed} conversations freed.`;
  return failed === 0 ? done : `${done} ${failed} failed, as the log says: run it again.`;
}
