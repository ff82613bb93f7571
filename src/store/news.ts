import type { EventWatch, Store } from '../contracts/store.ts';

/** A turn as its tenant names it. */
interface Subject {
  tenant: string;
  turnId: string;
}

type Unwatched = Omit<Store['events'], 'watch'>;

/** The store, waking those in this process who wait for events that it has written. */
export function announcing(store: Omit<Store, 'events'> & { events: Unwatched }): Store {
  const news = createNews();
  const { turns, steps, events } = store;
  return {
    ...store,
    turns: {
      ...turns,
      async seal(tenant, turnId, ending) {
        const sealed = await turns.seal(tenant, turnId, ending);
        news.announce({ tenant, turnId });
        return sealed;
      },
    },
    steps: {
      ...steps,
      async begin(step) {
        const begun = await steps.begin(step);
        // An attempt that takes over may have written a rewind.
        if (begun.state === 'open' && begun.earlierAttempts > 0) news.announce(step);
        return begun;
      },
      async settleResponse(ref, response) {
        await steps.settleResponse(ref, response);
        news.announce(ref);
      },
      async settleFailure(ref, failure, result) {
        await steps.settleFailure(ref, failure, result);
        news.announce(ref);
      },
    },
    events: {
      ...events,
      async append(batches) {
        const refused = await events.append(batches);
        for (const { ref } of batches) news.announce(ref);
        return refused;
      },
      watch: (tenant, turnId) => news.watch({ tenant, turnId }),
    },
  };
}

function createNews() {
  const watching = new Map<string, Set<() => void>>();
  return {
    announce: (subject: Subject) => watching.get(keyOf(subject))?.forEach((wake) => wake()),
    watch(subject: Subject): EventWatch {
      const key = keyOf(subject);
      const waking = watching.get(key) ?? new Set();
      const { watch, wake } = createWatch(() => {
        waking.delete(wake);
        if (waking.size === 0) watching.delete(key);
      });
      watching.set(key, waking.add(wake));
      return watch;
    },
  };
}

function keyOf({ tenant, turnId }: Subject): string {
  return `${turnId} ${tenant}`;
}

/** News that come while nobody waits are kept for the next call. */
function createWatch(close: () => void): { watch: EventWatch; wake: () => void } {
  let kept = false;
  let waiting: ((news: boolean) => void) | undefined;
  const settle = (news: boolean) => {
    kept = news && !waiting;
    waiting?.(news);
    waiting = undefined;
  };
  const next = async (ms: number) => {
    if (kept) {
      kept = false;
      return true;
    }
    const timer = setTimeout(() => settle(false), ms);
    try {
      return await new Promise<boolean>((resolve) => (waiting = resolve));
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    wake: () => settle(true),
    watch: {
      next,
      close() {
        close();
        settle(false);
      },
    },
  };
}
