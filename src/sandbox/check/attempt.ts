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

/** What a program prints last that is not ended by its limit: one that did not come so far has shown nothing. */
export const END = 'that was all';

/** What a program printed before its end; null when that was what is wanted. */
export function unlessPrinted(wanted: string, { stdout, stderr }: SandboxResult): string | null {
  const lines = stdout.trim().split('\n');
  if (lines.pop() !== END) return `it did not come to its end ${stderr.slice(-200)}`.trim();
  const printed = lines.join(', ');
  return printed === wanted ? null : `this came out: ${printed.slice(0, 200)}`;
}

/** Null when this limit ended the program. */
export function unlessEndedBy(
  wanted: SandboxResult['limit'],
  { limit, exitCode, stderr }: SandboxResult,
): string | null {
  if (limit === wanted) return null;
  return `it was ended by ${limit ?? 'itself'}, exit code ${String(exitCode)} ${stderr.slice(-200)}`.trim();
}
