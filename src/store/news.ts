import { createHash } from 'node:crypto';
import type { EventWatch, Store } from '../contracts/store.ts';
import type { Notifications } from './notifications.ts';

/** Enough for two turns never to be mistaken for each other; and if they were, somebody would look in vain. */
const KEY_LENGTH = 22;

/** A turn as its tenant names it. */
interface Subject {
  tenant: string;
  turnId: string;
}

type Unwatched = Omit<Store['events'], 'watch'>;

/**
 * The store, waking those who wait for events that it has written: in this process, and in others where `notifications`
 * reach them.
 */
export function announcing(
  store: Omit<Store, 'events'> & { events: Unwatched },
  notifications: Notifications | null = null,
): Store {
  const news = createNews(notifications);
  const { turns, steps, actions, events } = store;
  const announced = async <T>(subject: Subject, writing: Promise<T>): Promise<T> => {
    const written = await writing;
    news.announce(subject);
    return written;
  };
  return {
    ...store,
    turns: {
      ...turns,
      seal: (tenant, turnId, ending) =>
        announced({ tenant, turnId }, turns.seal(tenant, turnId, ending)),
    },
    steps: {
      ...steps,
      begin: (step) => announced(step, steps.begin(step)),
      claim: (step) => announced(step, steps.claim(step)),
      settleRetrieval: (ref, passages) => announced(ref, steps.settleRetrieval(ref, passages)),
      settleResponse: (ref, response) => announced(ref, steps.settleResponse(ref, response)),
      settleTool: (ref, call) => announced(ref, steps.settleTool(ref, call)),
      settleFailure: (ref, ...failure) => announced(ref, steps.settleFailure(ref, ...failure)),
    },
    actions: {
      ...actions,
      submit: (tenant, turnId, submission) =>
        announced({ tenant, turnId }, actions.submit(tenant, turnId, submission)),
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
    async close() {
      await notifications?.close();
      await store.close();
    },
  };
}

function createNews(notifications: Notifications | null) {
  const watching = new Map<string, Set<() => void>>();
  const wake = (key: string) => watching.get(key)?.forEach((wakeOne) => wakeOne());
  const hear = (keys: string[] | null) => (keys ?? [...watching.keys()]).forEach(wake);
  return {
    announce(subject: Subject) {
      const key = keyOf(subject);
      wake(key);
      notifications?.announce(key);
    },
    watch(subject: Subject): EventWatch {
      notifications?.listen(hear);
      const key = keyOf(subject);
      const waking = watching.get(key) ?? new Set();
      const { watch, wake: wakeOne } = createWatch(() => {
        waking.delete(wakeOne);
        if (waking.size === 0) watching.delete(key);
      });
      watching.set(key, waking.add(wakeOne));
      return watch;
    },
  };
}

/** Short, and tells nothing to others who listen: who does not know tenant and turn hears nothing of them. */
function keyOf({ tenant, turnId }: Subject): string {
  const hash = createHash('sha256').update(`${turnId} ${tenant}`).digest('base64url');
  return hash.slice(0, KEY_LENGTH);
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
