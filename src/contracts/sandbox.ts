export type SandboxLanguage = 'python' | 'javascript' | 'bash';

export interface SandboxFile {
  /** A plain file name: no path, no control characters. */
  name: string;
  content: Uint8Array;
}

export interface SandboxRequest {
  /** Stable over every attempt: a retried call finds the run of an earlier one and collects its result. */
  key: string;
  language: SandboxLanguage;
  code: string;
  /** Put into the working folder before the code starts. */
  files: SandboxFile[];
  /** Wall-clock milliseconds for the code. */
  timeoutMs: number;
}

/** What ended the code before its own end. */
export type SandboxLimit = 'time' | 'memory' | 'output';

export interface SandboxResult {
  /** Null when it was killed. */
  exitCode: number | null;
  /** Valid text, cut at the output limit; invalid UTF-8 is replaced by U+FFFD. */
  stdout: string;
  stderr: string;
  /** Whether output was cut. */
  truncated: boolean;
  /** The limit that ended it. */
  limit: SandboxLimit | null;
  /** New or changed plain files of the working folder, within the limits. */
  artifacts: SandboxFile[];
  /** What was in the working folder and did not come out, and why: links, sizes, names, too many. */
  refused: { name: string; reason: string }[];
  durationMs: number;
}

/** Limits of one run. Every back end keeps all of them. */
export interface SandboxLimits {
  memoryBytes: number;
  /** Processes and threads at a time. */
  pids: number;
  /** Share of a processor: 1 is one of them. */
  cpus: number;
  /** Bytes that the code can write, in the working folder and elsewhere together. */
  diskBytes: number;
  /** Bytes of standard output and of standard error, each. */
  outputBytes: number;
  artifactBytes: number;
  artifacts: number;
}

/** A place where untrusted code runs: no network, nothing of the host, nothing left behind. */
export interface Sandbox {
  readonly kind: 'docker' | 'bubblewrap';
  /** What it runs on, for people: engine and image, or program and version. */
  readonly description: string;
  readonly limits: SandboxLimits;
  /**
   * Runs code, or collects what an earlier attempt with the same key came to. Rejects with `SandboxUnavailable` when the
   * back end is away. Once `signal` is aborted the code is stopped, and what is left of it removed; with the reason
   * `AttemptOver` it is left for the next attempt, where the back end can.
   */
  run(request: SandboxRequest, options: { signal: AbortSignal }): Promise<SandboxResult>;
  /** Forgets a finished run whose result is stored. */
  discard(key: string): Promise<void>;
  /** Removes what killed workers left; answers how many. Runs of living workers are left alone. */
  reap(): Promise<number>;
  close(): Promise<void>;
}

/** The engine, its image or its program is not there, went away or has no room: worth trying again when `retryable`. */
export class SandboxUnavailable extends Error {
  readonly reason:
    | 'engine_missing'
    | 'engine_lost'
    | 'engine_refused'
    | 'image_missing'
    | 'image_unknown'
    | 'program_missing'
    | 'busy';
  readonly retryable: boolean;
  constructor(reason: SandboxUnavailable['reason'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SandboxUnavailable';
    this.reason = reason;
    this.retryable = reason === 'engine_lost' || reason === 'busy';
  }
}
