import { createHash } from 'node:crypto';
import type { SandboxLimits, SandboxRequest } from '../contracts/sandbox.ts';
import { ENVIRONMENT } from './inside.ts';
import { languageOf } from './languages.ts';

/**
 * A request as the supervisor reads it: a line with length and digest, the specification, then the code and each file.
 * docker/sandbox/supervisor.py describes it. `seccomp` is for the supervisor to put on the code, where nothing outside does.
 */
export function encodeRequest(
  request: SandboxRequest,
  limits: SandboxLimits,
  seccomp: Buffer | null = null,
): Uint8Array[] {
  const { fileName, command } = languageOf(request.language);
  const code = Buffer.from(request.code);
  const specification = Buffer.from(
    JSON.stringify({
      command,
      codeFile: fileName,
      codeBytes: code.byteLength,
      files: request.files.map(({ name, content }) => ({ name, bytes: content.byteLength })),
      environment: ENVIRONMENT,
      seccomp: seccomp?.toString('base64') ?? '',
      timeoutMs: request.timeoutMs,
      outputBytes: limits.outputBytes,
      artifactBytes: limits.artifactBytes,
      artifacts: limits.artifacts,
    }),
  );
  const parts = [specification, code, ...request.files.map(({ content }) => content)];
  return [Buffer.from(`${specification.byteLength} ${digestOf(parts)}\n`), ...parts];
}

/** Tells one request from another, whatever their keys. */
export function requestDigest(request: SandboxRequest, limits: SandboxLimits): string {
  return digestOf([Buffer.from(request.key), ...encodeRequest(request, limits)]);
}

function digestOf(parts: Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
