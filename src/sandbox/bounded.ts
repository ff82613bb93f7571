import { SandboxUnavailable, type Sandbox } from '../contracts/sandbox.ts';

/** The same sandbox with at most so many runs at a time; others wait for their turn, in order. */
export function boundedSandbox(sandbox: Sandbox, concurrency: number, maxWaitMs: number): Sandbox {
  const waiting: (() => void)[] = [];
  let running = 0;

  const enter = async (signal: AbortSignal): Promise<void> => {
    if (running >= concurrency) await placeIn(waiting, { signal, maxWaitMs, concurrency });
    else running += 1;
  };
  /** Whoever is next takes the place over, so that nobody else slips in. */
  const leave = () => {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  };
  return {
    ...sandbox,
    async run(request, options) {
      options.signal.throwIfAborted();
      await enter(options.signal);
      try {
        return await sandbox.run(request, options);
      } finally {
        leave();
      }
    },
  };
}

interface Patience {
  signal: AbortSignal;
  maxWaitMs: number;
  concurrency: number;
}

/** Resolves when a place is handed over. */
async function placeIn(waiting: (() => void)[], patience: Patience): Promise<void> {
  const { signal, maxWaitMs, concurrency } = patience;
  const { promise, resolve, reject } = deferred();
  const giveUp = (reason: unknown) => {
    const index = waiting.indexOf(resolve);
    if (index >= 0) waiting.splice(index, 1);
    reject(reason);
  };
  const onAbort = () => giveUp(signal.reason);
  const timer = setTimeout(() => giveUp(busy(concurrency, maxWaitMs)), maxWaitMs);
  signal.addEventListener('abort', onAbort, { once: true });
  waiting.push(resolve);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function busy(concurrency: number, maxWaitMs: number): SandboxUnavailable {
  const message = `All ${concurrency} sandboxes of this worker were busy for ${maxWaitMs} ms.`;
  return new SandboxUnavailable('busy', message);
}

function deferred() {
  let resolve: () => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<void>((onDone, onFailure) => {
    resolve = onDone;
    reject = onFailure;
  });
  return { promise, resolve, reject };
}
