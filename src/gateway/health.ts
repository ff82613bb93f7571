import { reportingOutage } from '../client/requests.ts';
import { StoreUnavailable } from '../contracts/store.ts';

const PATIENCE_MS = 5_000;
/** However often it is asked, the database is asked once in this time. */
const KEPT_MS = 1_000;

/** Rejects with `database_unreachable` when the database does not answer soon. */
export function checkHealth(databaseAnswers: () => Promise<void>): () => Promise<void> {
  let asked: Asked | null = null;
  return () => {
    if (asked === null || performance.now() > asked.keptUntil) asked = ask(databaseAnswers);
    return asked.answer;
  };
}

interface Asked {
  answer: Promise<void>;
  /** Whoever comes before the answer waits for the same one. */
  keptUntil: number;
}

function ask(databaseAnswers: () => Promise<void>): Asked {
  const answer = reportingOutage(() => soon(databaseAnswers()));
  const asked = { answer, keptUntil: Infinity };
  const keep = () => (asked.keptUntil = performance.now() + KEPT_MS);
  answer.then(keep, keep);
  return asked;
}

async function soon(answer: Promise<void>): Promise<void> {
  const { promise: late, stop } = lateness();
  try {
    await Promise.race([answer, late]);
  } finally {
    stop();
  }
}

function lateness(): { promise: Promise<never>; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_, reject) => {
    const refuse = () => reject(new StoreUnavailable(new Error('nothing came in five seconds')));
    timer = setTimeout(refuse, PATIENCE_MS);
  });
  return { promise, stop: () => clearTimeout(timer) };
}
