import { createHash } from 'node:crypto';
import type {
  SandboxLimit,
  SandboxLimits,
  SandboxRequest,
  SandboxResult,
} from '../contracts/sandbox.ts';
import { acceptArtifacts, type Found } from './artifacts.ts';
import { decodeOutput } from './output.ts';

/** As many entries of the working folder as the supervisor lists. */
const MAX_ENTRIES = 1_000;
/** Of an entry without its content; a name has at most 255 bytes. */
const ENTRY_BYTES = 600;
/** Beside the entries: how the run ended, and that there are more. */
const OTHER_LINES = 2;
const BASE64 = 4 / 3;

/** Bytes of the longest result that a supervisor which keeps to the limits writes. */
export function maxResultBytes({ outputBytes, artifactBytes }: SandboxLimits): number {
  return Math.ceil((2 * outputBytes + artifactBytes) * BASE64) + MAX_ENTRIES * ENTRY_BYTES;
}

/**
 * Reads what the supervisor of a container wrote. Nothing of it is trusted.
 * @returns null when it is no whole result
 */
export async function decodeResult(
  written: Buffer,
  request: SandboxRequest,
  limits: SandboxLimits,
): Promise<SandboxResult | null> {
  const lines = wholeLines(written);
  const ending = lines && parseEnding(lines[0]);
  if (!ending) return null;
  const stdout = decodeOutput(ending.stdout, limits.outputBytes);
  const stderr = decodeOutput(ending.stderr, limits.outputBytes);
  const { found, unlisted } = parseEntries(lines.slice(1));
  const { exitCode, limit, durationMs } = ending;
  return {
    exitCode,
    limit,
    durationMs,
    stdout: stdout.text,
    stderr: stderr.text,
    truncated: stdout.cut || stderr.cut,
    ...(await acceptArtifacts(found, { limits, given: request.files, unlisted })),
  };
}

/** The result of a container that was ended from outside, or whose supervisor went with the code. */
export function resultWithoutWord(limit: SandboxLimit | null, durationMs: number): SandboxResult {
  const stderr = limit === null ? 'The sandbox ended without a result.\n' : '';
  const nothing = { stdout: '', truncated: false, artifacts: [], refused: [] };
  return { ...nothing, exitCode: null, stderr, limit, durationMs };
}

/** The lines before the last one, which has their digest; null when it has not. */
function wholeLines(written: Buffer): Line[] | null {
  const end = written.lastIndexOf('\n', -2) + 1;
  const body = written.subarray(0, end);
  const digest = createHash('sha256').update(body).digest('hex');
  if (parseLine(written.toString('latin1', end))['sha256'] !== digest) return null;
  return Array.from(linesOf(body, MAX_ENTRIES + OTHER_LINES), parseLine);
}

/** One after the other: all of them together are as large as everything that came out. */
function* linesOf(body: Buffer, most: number): Generator<string> {
  let start = 0;
  for (let count = 0; count < most; count++) {
    const end = body.indexOf('\n', start);
    if (end < 0) return;
    yield body.toString('latin1', start, end);
    start = end + 1;
  }
}

type Line = Record<string, unknown>;

function parseLine(line: string): Line {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Line) : {};
  } catch {
    return {};
  }
}

interface Ending {
  exitCode: number | null;
  limit: SandboxLimit | null;
  durationMs: number;
  stdout: Buffer;
  stderr: Buffer;
}

function parseEnding({ exitCode, limit, durationMs, stdout, stderr }: Line = {}): Ending | null {
  const out = parseBytes(stdout);
  const err = parseBytes(stderr);
  if (!out || !err || !isLimit(limit) || !isCount(durationMs)) return null;
  if (exitCode !== null && !isCount(exitCode)) return null;
  return { exitCode, limit, durationMs, stdout: out, stderr: err };
}

function parseEntries(lines: Line[]): { found: Found[]; unlisted: number } {
  const counts = lines.filter(({ kind }) => kind === 'more').map(({ count }) => count);
  const unlisted = counts.filter(isCount).reduce((total, count) => total + count, 0);
  return { found: lines.flatMap(parseEntry), unlisted };
}

function parseEntry({ name, kind, bytes, content }: Line): Found[] {
  const raw = parseBytes(name);
  if (!raw || !isKind(kind) || !isCount(bytes)) return [];
  return [{ name: raw.toString(), kind, bytes, read: () => Promise.resolve(parseBytes(content)) }];
}

function parseBytes(value: unknown): Buffer | null {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

const LIMITS: readonly unknown[] = ['time', 'memory', 'output', null];
const KINDS: readonly unknown[] = ['file', 'link', 'folder', 'other'];

function isLimit(value: unknown): value is SandboxLimit | null {
  return LIMITS.includes(value);
}

function isKind(value: unknown): value is Found['kind'] {
  return KINDS.includes(value);
}
