import type {
  SandboxLanguage,
  SandboxLimits,
  SandboxResult,
} from '../../../src/contracts/sandbox.ts';
import type { Bait, Sightings } from './host.ts';

/** A program that must be contained. What must hold for all of them is in hostile.test.ts. */
export interface HostileProgram {
  /** What it goes for. A sample has at least one of each. */
  point: string;
  /** Completes: it … */
  name: string;
  language: SandboxLanguage;
  timeoutMs?: number;
  /** Whether to look at its memory, which slows it down. */
  memory?: true;
  code(ground: Ground): string;
  /** What must hold for this one. */
  check(outcome: Outcome): void;
}

export interface Ground {
  bait: Bait;
  limits: SandboxLimits;
  /** In the command line of all its processes, and the name for files that it leaves. */
  mark: string;
}

export interface Outcome extends Ground {
  result: SandboxResult;
  seen: Sightings;
}

/** The program, started so that all its processes can be seen on the host. */
export function markedCode(program: HostileProgram, ground: Ground): string {
  return MARKING[program.language](JSON.stringify(ground.mark)) + program.code(ground);
}

const MARKING: Record<SandboxLanguage, (mark: string) => string> = {
  python: (mark) => `
import os, sys
if sys.argv[-1] != ${mark}: os.execv(sys.executable, [sys.executable, "-B", __file__, ${mark}])
`,
  bash: (mark) => `[ "$1" = ${mark} ] || exec bash "$0" ${mark}\n`,
  javascript: (mark) => `process.title = ${mark};\n`,
};
