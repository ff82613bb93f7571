import { Option, type Command } from 'commander';
import { isTurnkeeperError } from '../contracts/errors.ts';
import { SandboxUnavailable, type Sandbox } from '../contracts/sandbox.ts';

type Kind = Sandbox['kind'];

/** What cli.ts hands over. */
export interface SandboxCheckParts {
  /** The configured sandbox, or the one that is named; null with the reasons when there is none. */
  open: (kind: Kind | undefined) => Promise<{ sandbox: Sandbox | null; reasons: string[] }>;
  check: (sandbox: Sandbox) => AsyncIterable<Line>;
  print: (line: string) => void;
}

interface Line {
  limit: string;
  tried: string;
  verdict: 'held' | 'broken' | 'not available';
  detail: string;
}

const ADVICE = 'Install what is named, or set TURNKEEPER_SANDBOX=none to work without a sandbox.';
const BACK_ENDS: readonly Kind[] = ['docker', 'bubblewrap'];

const BROKEN = 1;
/** There is no sandbox, or a setting or option is wrong. */
export const NOTHING_CHECKED = 2;

export function addSandboxCheck(sandbox: Command, parts: SandboxCheckParts): void {
  const exitCodes = `0 all held, ${BROKEN} something is broken, ${NOTHING_CHECKED} nothing was checked`;
  sandbox
    .command('check')
    .description('try to break each limit of the sandbox, and say what held')
    .addOption(new Option('--backend <name>', 'not the configured one').choices(BACK_ENDS))
    .addHelpText('after', `\nExit code: ${exitCodes}.`)
    .action(async ({ backend }: { backend?: Kind }) => {
      process.exitCode = await check(parts, backend);
    });
}

/** The exit code. */
async function check({ open, check, print }: SandboxCheckParts, kind?: Kind): Promise<number> {
  try {
    const { sandbox, reasons } = await open(kind);
    for (const reason of reasons) print(reason);
    if (sandbox !== null) return await checkAndClose(sandbox, { check, print });
    print(`There is no sandbox to check. ${ADVICE}`);
  } catch (error) {
    if (!isTurnkeeperError(error) && !(error instanceof SandboxUnavailable)) throw error;
    print(error.message);
  }
  return NOTHING_CHECKED;
}

async function checkAndClose(
  sandbox: Sandbox,
  { check, print }: Pick<SandboxCheckParts, 'check' | 'print'>,
): Promise<number> {
  print(sandbox.description);
  let broken = false;
  try {
    for await (const line of check(sandbox)) {
      print(shown(line));
      broken ||= line.verdict === 'broken';
    }
  } catch (error) {
    // What was broken may be what took it down.
    if (!broken || !(error instanceof SandboxUnavailable)) throw error;
    print(error.message);
  } finally {
    await sandbox.close();
  }
  return broken ? BROKEN : 0;
}

function shown({ limit, tried, verdict, detail }: Line): string {
  const end = detail === '' ? '' : `: ${detail}`;
  return `${verdict.padEnd(14)}${limit.padEnd(13)}tried ${tried}${end}`;
}
