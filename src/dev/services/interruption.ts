import { constants } from 'node:os';

const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const IMPATIENT_AFTER_MS = 1_000;

/** Somebody wants this process to end. */
export class Interrupted extends Error {
  readonly exitCode: number;
  constructor(signal: NodeJS.Signals) {
    super(`Interrupted by ${signal}: everything is stopped.`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** Aborted by the first signal; one that comes while everything is being stopped ends the process on the spot. */
export function listenForEnd(): AbortController {
  const ending = new AbortController();
  let endedAt = Infinity;
  const end = (signal: NodeJS.Signals) => {
    const interrupted = new Interrupted(signal);
    // One Ctrl-C may come twice: from the terminal, and from the process that runs this one.
    if (Date.now() - endedAt > IMPATIENT_AFTER_MS) process.exit(interrupted.exitCode);
    endedAt = Math.min(endedAt, Date.now());
    ending.abort(interrupted);
  };
  for (const signal of STOPPING) process.on(signal, end);
  // Whoever was reading has gone.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => ending.signal.aborted || end('SIGPIPE'));
  }
  return ending;
}

/** Rejects with the signal's reason once it is aborted. */
export function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => reject(signal.reason as Error);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
