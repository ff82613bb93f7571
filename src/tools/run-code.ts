import { createHash } from 'node:crypto';
import type { JsonObject } from '../contracts/json.ts';
import { SandboxUnavailable } from '../contracts/sandbox.ts';
import type { Sandbox, SandboxFile, SandboxLanguage } from '../contracts/sandbox.ts';
import { StoreUnavailable, type FileRecord, type FileStore } from '../contracts/store.ts';
import {
  RUN_CODE,
  ToolUnavailable,
  type RunnableTool,
  type ToolContext,
} from '../contracts/tools.ts';
import { mediaTypeOf } from './media-types.ts';
import { codeOutput } from './run-code-output.ts';
import { RUN_CODE_DESCRIPTION, RUN_CODE_PARAMETERS } from './run-code-schema.ts';

/** Milliseconds for the code itself. */
const CODE_TIMEOUT_MS = 60_000;
/** For the start of the sandbox, and for files on their way in and out. */
const MARGIN_MS = 30_000;
/** How long a call waits for a sandbox of its worker, before it is offered to any worker again. */
export const SANDBOX_WAIT_MS = 60_000;
/** Bytes of all files put in: they pass through the worker's memory. */
const MAX_INPUT_BYTES = 33_554_432;

interface Ports {
  sandbox: Sandbox;
  files: FileStore;
}

/** As the model gave them; the schema has checked them. */
interface Arguments {
  language: SandboxLanguage;
  code: string;
  files?: GivenFile[];
}

type GivenFile = { name: string; content: string } | { file_id: string; name?: string };

/**
 * Runs code in a sandbox and stores what it made as files of the turn. Code has no effect outside the sandbox, so that
 * after a crash it may run once more. Where the sandbox keeps the result of a run, it is collected instead, and kept until
 * the outcome of the call is stored: only then `settled` discards it.
 */
export function runCodeTool(ports: Ports): RunnableTool {
  return {
    name: RUN_CODE,
    description: RUN_CODE_DESCRIPTION,
    parameters: RUN_CODE_PARAMETERS,
    policy: 'idempotent',
    timeoutMs: SANDBOX_WAIT_MS + CODE_TIMEOUT_MS + MARGIN_MS,
    async run(args, context) {
      try {
        return await runCode(ports, args as unknown as Arguments, context);
      } catch (error) {
        throw asUnavailable(error);
      }
    },
    settled: ({ key }) => ports.sandbox.discard(key),
  };
}

/** The tool of a worker without a sandbox: it tells what to install. */
export function refusedCodeTool(missing: string): RunnableTool {
  return {
    name: RUN_CODE,
    description: RUN_CODE_DESCRIPTION,
    parameters: RUN_CODE_PARAMETERS,
    policy: 'idempotent',
    run() {
      throw new ToolUnavailable(`Code is refused: ${missing}`, { retryable: false });
    },
  };
}

async function runCode(
  { sandbox, files }: Ports,
  { language, code, files: given = [] }: Arguments,
  { key, signal, turn }: ToolContext,
): Promise<JsonObject> {
  const inputs = await readInputs(files, turn.tenant, given);
  const request = { key, language, code, files: inputs, timeoutMs: CODE_TIMEOUT_MS };
  const result = await sandbox.run(request, { signal });
  return codeOutput(result, await storeArtifacts(files, { key, turn }, result.artifacts));
}

async function readInputs(
  files: FileStore,
  tenant: string,
  given: GivenFile[],
): Promise<SandboxFile[]> {
  const inputs = await Promise.all(given.map((file) => findInput(files, tenant, file)));
  const bytes = inputs.reduce((total, input) => total + input.bytes, 0);
  if (bytes > MAX_INPUT_BYTES) {
    throw new Error(`The files have ${bytes} bytes; ${MAX_INPUT_BYTES} are allowed.`);
  }
  return Promise.all(
    inputs.map(async (input) => ({ name: input.name, content: await input.read() })),
  );
}

interface Input {
  name: string;
  bytes: number;
  read(): Promise<Uint8Array>;
}

async function findInput(files: FileStore, tenant: string, given: GivenFile): Promise<Input> {
  if ('content' in given) {
    const content = Buffer.from(given.content);
    return { name: given.name, bytes: content.byteLength, read: () => Promise.resolve(content) };
  }
  const { id, name, bytes } = await files.get(tenant, given.file_id);
  return { name: given.name ?? name, bytes, read: () => files.read(tenant, id) };
}

async function storeArtifacts(
  files: FileStore,
  { key, turn }: Pick<ToolContext, 'key' | 'turn'>,
  artifacts: SandboxFile[],
): Promise<FileRecord[]> {
  if (artifacts.length === 0) return [];
  const made = artifacts.map(({ name, content }) => ({
    turnId: turn.turnId,
    name,
    mediaType: mediaTypeOf(name),
    content,
    key: fileKey(key, name, content),
  }));
  return files.create(turn.tenant, made);
}

/** By content too: code that runs once more may make something else, and its output then tells of that. */
function fileKey(key: string, name: string, content: Uint8Array): string {
  return `${key}:${createHash('sha256').update(content).digest('hex')}:${name}`;
}

/** What passes by itself is tried again, and the model need not know; what to install is for operators. */
function asUnavailable(cause: unknown): unknown {
  if (cause instanceof StoreUnavailable) {
    return new ToolUnavailable('Files are not available now.', { retryable: true, cause });
  }
  if (cause instanceof SandboxUnavailable) {
    const { retryable } = cause;
    return new ToolUnavailable('The sandbox is not available now.', { retryable, cause });
  }
  return cause;
}
