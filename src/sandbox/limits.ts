import { TurnkeeperError } from '../contracts/errors.ts';
import type { SandboxLimits, SandboxRequest } from '../contracts/sandbox.ts';
import { isLanguage, LANGUAGE_NAMES } from './languages.ts';
import { nameMistake } from './names.ts';

const MIB = 1_048_576;

/** What one run may use, unless something else is asked for. */
export const DEFAULT_LIMITS: Readonly<SandboxLimits> = {
  memoryBytes: 512 * MIB,
  pids: 128,
  cpus: 1,
  diskBytes: 256 * MIB,
  outputBytes: 262_144,
  artifactBytes: 16 * MIB,
  artifacts: 32,
};

/** UTF-8 bytes of one program. */
export const MAX_CODE_BYTES = MIB;
/** Files put into the working folder of one run. */
export const MAX_FILES = 100;
export const MAX_TIMEOUT_MS = 3_600_000;
/** So that the code has room to write beside what it is given. */
const SHARE_OF_DISK = 0.5;

/**
 * Checks a request before anything is done for it.
 * @throws TurnkeeperError `invalid_request`, `input_too_large`
 */
export function checkRequest(request: SandboxRequest, limits: SandboxLimits): void {
  const { language, code, timeoutMs } = request;
  if (!isLanguage(language)) {
    throw invalid('language', `is none of ${LANGUAGE_NAMES.join(', ')}`);
  }
  checkSize('code', Buffer.byteLength(code), MAX_CODE_BYTES);
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > MAX_TIMEOUT_MS) {
    throw invalid('timeoutMs', `is not a whole number from 1 to ${MAX_TIMEOUT_MS}`);
  }
  checkFiles(request, limits);
}

function checkFiles({ files }: SandboxRequest, { diskBytes }: SandboxLimits): void {
  if (files.length > MAX_FILES) {
    throw tooLarge('files', `are ${files.length}; ${MAX_FILES} are allowed`, MAX_FILES);
  }
  const names = new Set<string>();
  for (const { name } of files) {
    const mistake = nameMistake(name);
    if (mistake !== null)
      throw invalid('files', `have the name ${JSON.stringify(name)}, which ${mistake}`);
    if (names.has(name)) throw invalid('files', `have the name ${JSON.stringify(name)} twice`);
    names.add(name);
  }
  const bytes = files.reduce((total, { content }) => total + content.byteLength, 0);
  checkSize('files', bytes, diskBytes * SHARE_OF_DISK);
}

function checkSize(field: string, bytes: number, limit: number): void {
  if (bytes > limit) throw tooLarge(field, `of ${bytes} bytes; ${limit} are allowed`, limit);
}

function invalid(field: string, mistake: string): TurnkeeperError {
  return new TurnkeeperError('invalid_request', `Sandbox: ${field} ${mistake}.`, { field });
}

function tooLarge(field: string, mistake: string, limit: number): TurnkeeperError {
  return new TurnkeeperError('input_too_large', `Sandbox: ${field} ${mistake}.`, { field, limit });
}
