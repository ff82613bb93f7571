import { AttemptOver, type ToolContext } from '../contracts/tools.ts';
import { stopSignal } from './attempt.ts';

export type Execution<T> =
  { kind: 'returned'; value: T } | { kind: 'threw'; error: unknown } | { kind: 'timed_out' };

/**
 * Runs a tool's own code for at most `timeoutMs`. Its signal is aborted then, and when the turn is cancelled, which
 * rejects; code that does not listen is left behind. A worker that goes away lets it finish.
 */
export async function executeWithin<T>(
  timeoutMs: number,
  context: Omit<ToolContext, 'signal'>,
  work: (context: ToolContext) => Promise<T> | T,
): Promise<Execution<T>> {
  const stop = stopSignal();
  // Not `AbortSignal.any` with `AbortSignal.timeout`: on Node 20 the two may be collected before they fire.
  const ending = new AbortController();
  let over = false;
  const timer = setTimeout(() => ending.abort(timeoutReason(timeoutMs)), timeoutMs);
  stop.addEventListener('abort', () => ending.abort(stop.reason), { once: true });
  try {
    const progress = (message: string) => {
      if (!over) context.progress(message);
    };
    const running = run(() => work({ ...context, progress, signal: ending.signal }));
    const first = await Promise.race([running, aborted(ending.signal)]);
    // A tool that has returned has an outcome, whoever wants to stop it by now.
    if (first) return first;
    if (stop.aborted) throw failureOf(stop);
    return { kind: 'timed_out' };
  } finally {
    over = true;
    clearTimeout(timer);
  }
}

/** As Temporal is to be told of it. */
function failureOf({ reason }: AbortSignal): unknown {
  return reason instanceof AttemptOver ? reason.cause : reason;
}

function timeoutReason(timeoutMs: number): DOMException {
  return new DOMException(`The tool's ${timeoutMs} ms are over.`, 'TimeoutError');
}

async function run<T>(work: () => Promise<T> | T): Promise<Execution<T>> {
  try {
    return { kind: 'returned', value: await work() };
  } catch (error) {
    return { kind: 'threw', error };
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
