import { extname } from 'node:path';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { childEnvironment } from '../config.ts';
import { ERROR_CODES, TurnkeeperError } from '../contracts/errors.ts';
import type { ErrorCode } from '../contracts/errors.ts';
import type { Json, JsonObject } from '../contracts/json.ts';
import { startGuarded } from './guarded-process.ts';
import type { GuardedProcess } from './guarded-process.ts';

export interface ChildOptions {
  /** What it is, for error messages. */
  name: string;
  /** Our script, relative to `src`, without extension: `worker`, `dev/offline-model/main`. Or a URL, for other scripts. */
  script: string | URL;
  args?: string[];
  /** Variables on top of this process's environment; `undefined` removes one. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Called with each line that it writes to standard error. */
  onLog?: (line: string) => void;
}

export interface OwnChild extends GuardedProcess {
  /** The first line it wrote: a JSON object. */
  readonly ready: JsonObject;
}

/** Runs a script of ours as a process that does not outlive this one, from the sources or from the build. */
export async function startScript(options: ChildOptions): Promise<GuardedProcess> {
  const { name, script, args = [], env = {}, onLog } = options;
  const url = typeof script === 'string' ? ownScript(script) : script;
  const child = await startGuarded({
    name,
    command: process.execPath,
    args: [...nodeArguments(url), ...args],
    env: childEnvironment(env),
  });
  if (onLog) createInterface({ input: child.stderr }).on('line', onLog);
  return child;
}

/** The same, and waits for what it announces. */
export async function startChild(options: ChildOptions): Promise<OwnChild> {
  const child = await startScript(options);
  return { ...child, ready: await announced(child, options.name) };
}

/**
 * The first line that a process of ours writes on standard output, a JSON object. A line `{"error": {"code", "message"}}`,
 * or an end before the first line, rejects with that error or `service_failed`; the process is gone then.
 */
export async function announced(child: GuardedProcess, name: string): Promise<JsonObject> {
  try {
    return await firstLine(child, name);
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/** `.ts` when this file runs from the sources, `.js` from the build. */
function ownScript(script: string): URL {
  return new URL(`../${script}${extname(import.meta.url)}`, import.meta.url);
}

/** What Node is given to run a script: the sources under tsx, the build without. */
export function nodeArguments(url: URL): string[] {
  const script = fileURLToPath(url);
  if (extname(script) !== '.ts') return [script];
  const tsx = createRequire(import.meta.url).resolve('tsx');
  return ['--import', pathToFileURL(tsx).href, script];
}

async function firstLine(child: GuardedProcess, name: string): Promise<JsonObject> {
  const line = await nextLine(child);
  if (line !== null) return readReady(line, name);
  const { code, signal } = await child.exited;
  const how = signal ?? `exit code ${String(code)}`;
  throw failed(`${name} ended (${how}) before it was ready`, child.output());
}

/** Null at the end of the output, which may come after `exited`. */
function nextLine(child: GuardedProcess): Promise<string | null> {
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve) => {
    lines.once('line', resolve);
    lines.once('close', () => resolve(null));
  });
}

function readReady(line: string, name: string): JsonObject {
  const value = parseJson(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw failed(`${name} announced itself with something else than a JSON object`, line);
  }
  if (value['error'] !== undefined) throw toError(value['error'], name);
  return value;
}

function parseJson(line: string): Json {
  try {
    return JSON.parse(line) as Json;
  } catch {
    return null;
  }
}

/** The child's error as its own class again. */
function toError(error: Json, name: string): TurnkeeperError {
  const { code, message } = error as { code?: string; message?: string };
  if (code === undefined || message === undefined || !Object.hasOwn(ERROR_CODES, code)) {
    return failed(`${name} did not start`, JSON.stringify(error));
  }
  const advice = ERROR_CODES[code as ErrorCode];
  // The message ends with the advice already, and the constructor adds it again.
  const plain = message.endsWith(advice) ? message.slice(0, -advice.length).trimEnd() : message;
  return new TurnkeeperError(code as ErrorCode, plain);
}

function failed(what: string, output: string): TurnkeeperError {
  const said = output.trim() === '' ? 'It wrote nothing.' : `It wrote:\n${output.trim()}\n`;
  return new TurnkeeperError('service_failed', `${what}. ${said}`);
}
