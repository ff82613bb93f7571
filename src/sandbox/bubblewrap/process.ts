import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { insideArguments, NOBODY } from './command.ts';

/** Programs and files of this host that make up a sandbox; the same for all runs. */
export interface Setup {
  bwrap: string;
  /** Options for bubblewrap: what of the host is shown inside. */
  host: string[];
  /** Content of the made-up files, by path. */
  files: Record<string, string>;
  /** System call filter. */
  seccomp: Buffer;
  diskBytes: number;
}

export interface SandboxProcess {
  readonly input: Writable;
  readonly kill: () => void;
  /** Resolves when it is gone, with all that ran inside. */
  readonly ended: Promise<Ended>;
}

interface Ended {
  /** What the supervisor wrote; null when it was too much, for which it is killed. */
  written: Buffer | null;
  /** What bubblewrap and those before it have to say. The code cannot write here. */
  complaint: string;
}

const STANDARD_STREAMS = 3;
const MAX_OPEN_FILES = 1_024;
const BLOCK_BYTES = 512;
const MAX_COMPLAINT_BYTES = 2_000;

/** Enters the groups whose files come before `--`, limits files to `$1` blocks, and becomes what comes after. */
const ENTER = [
  'while [ "$1" != -- ]; do echo 0 >"$1" || exit; shift; done; shift',
  `ulimit -c 0 && ulimit -n ${MAX_OPEN_FILES} && ulimit -f "$1" || exit; shift`,
  'exec "$@"',
].join('; ');

/** Root would stay root outside, whatever it is called inside: only a user to whom nothing belongs is nobody. */
const BECOME_NOBODY = [
  ...['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'],
  ...['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--'],
];

/** Starts a sandbox in the control groups with these entrances. Nothing of our environment goes in. */
export async function startSandbox(
  setup: Setup,
  entrances: string[],
  maxBytes: number,
): Promise<SandboxProcess> {
  const contents = [...Object.values(setup.files), setup.seccomp];
  const child = spawn('/bin/sh', ['-c', ENTER, 'enter', ...entrances, '--', ...commandOf(setup)], {
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe', ...contents.map(() => 'pipe' as const)],
  });
  await once(child, 'spawn');
  const [input, stdout, stderr, ...pipes] = child.stdio as unknown as Streams;
  pipes.forEach((pipe, index) => giveTo(pipe, contents[index] ?? ''));
  // It may end before it has read all.
  input.on('error', () => undefined);
  const kill = () => void child.kill('SIGKILL');
  const written = collect(stdout, maxBytes, kill);
  const complaint = collect(stderr, MAX_COMPLAINT_BYTES, kill);
  const ended = once(child, 'close').then(async () => ({
    written: await written,
    complaint: String((await complaint) ?? 'too much was written to standard error').trim(),
  }));
  return { input, kill, ended };
}

type Streams = [Writable, Readable, Readable, ...Writable[]];

function commandOf({ bwrap, host, diskBytes, files: contents }: Setup): string[] {
  const paths = Object.keys(contents);
  const files = Object.fromEntries(paths.map((path, index) => [path, STANDARD_STREAMS + index]));
  const seccomp = STANDARD_STREAMS + paths.length;
  const blocks = String(Math.ceil(diskBytes / BLOCK_BYTES));
  const lower = process.getuid?.() === 0 ? BECOME_NOBODY : [];
  return [blocks, ...lower, bwrap, ...insideArguments({ host, diskBytes, files, seccomp })];
}

function giveTo(pipe: Writable, content: string | Buffer): void {
  pipe.on('error', () => undefined);
  pipe.end(content);
}

/** Null when there is more than `maxBytes`; `onExcess` is called then, and the rest thrown away. */
async function collect(
  stream: Readable,
  maxBytes: number,
  onExcess: () => void,
): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes <= maxBytes) chunks.push(chunk);
    else onExcess();
  }
  return bytes <= maxBytes ? Buffer.concat(chunks) : null;
}
