/** A request that the service has got: to do something, or to undo it. */
export interface Entry {
  /** Which turn and tool it is of; the service itself makes nothing of it. */
  effect: string;
  kind: 'run' | 'undo';
  /** The idempotency key that it came with. */
  key: string;
}

/** What two counters say: one counts each key once, the other each request. */
export interface Counts {
  honouring: number;
  ignoring: number;
}

export function countOf(entries: Entry[], kind: Entry['kind'], effect: string): Counts {
  const all = entries.filter((entry) => entry.kind === kind && entry.effect === effect);
  return { honouring: new Set(all.map(({ key }) => key)).size, ignoring: all.length };
}

/** The service, as tools and the run talk to it. */
export function counterClient(url: string) {
  return {
    async add(entry: Entry, signal?: AbortSignal): Promise<void> {
      const body = JSON.stringify(entry);
      const answer = await fetch(url, { method: 'POST', body, ...(signal && { signal }) });
      if (!answer.ok) throw new Error(`The counters answered ${answer.status}.`);
    },
    async entries(): Promise<Entry[]> {
      return (await (await fetch(url)).json()) as Entry[];
    },
  };
}
