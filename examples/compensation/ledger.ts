import { appendFileSync, existsSync, readFileSync } from 'node:fs';

export interface Entry {
  /** Whoever posts an entry again, with the same key, changes nothing. */
  key: string;
  what: string;
}

export interface Ledger {
  post(entry: Entry): void;
  has(key: string): boolean;
  entries(): Entry[];
}

/** A line for each entry. It stands for a booking system, or a payment provider: something that knows keys. */
export function openLedger(path: string): Ledger {
  const entries = (): Entry[] => {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Entry);
  };
  const has = (key: string) => entries().some((entry) => entry.key === key);
  return {
    entries,
    has,
    post(entry) {
      if (!has(entry.key)) appendFileSync(path, `${JSON.stringify(entry)}\n`);
    },
  };
}
