import type { SandboxLanguage, SandboxLimits, SandboxResult } from '../../contracts/sandbox.ts';

/** One program that does what it should not be able to do. */
export interface Attempt {
  /** What is to be kept: `memory`, `network`. */
  limit: string;
  /** What the program does, for people. */
  tried: string;
  language: SandboxLanguage;
  timeoutMs?: number;
  /** Why this says nothing on this host; null when it does. */
  cannot?(limits: SandboxLimits): string | null;
  code(limits: SandboxLimits, bait: Bait): string;
  /** What broke; null when the limit held. */
  broken(result: SandboxResult, limits: SandboxLimits, bait: Bait): string | null;
}

/** What lies outside and is not to be reached. */
export interface Bait {
  /** In a file of the host. */
  secret: string;
  /** Its path. */
  file: string;
  /** Of the host's loopback address. */
  port: number;
  /** Whether anybody came to the port. */
  reached: () => boolean;
}

/** Null when this limit ended the program. */
export function unlessEndedBy(
  wanted: SandboxResult['limit'],
  { limit, exitCode, stderr }: SandboxResult,
): string | null {
  if (limit === wanted) return null;
  return `it was ended by ${limit ?? 'itself'}, exit code ${String(exitCode)} ${stderr.slice(-200)}`.trim();
}
