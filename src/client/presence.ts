import { ATTEND_EVERY_MS } from '../contracts/store.ts';
import type { Parts } from './parts.ts';

/** Says that somebody reads a turn which ends without readers, from `begin` to `end`. */
export interface Presence {
  begin(): void;
  end(): void;
}

/** What cannot be said is said again: readers that are not heard of for a while count as gone. */
export function createPresence({ store, tenant }: Parts, turnId: string): Presence {
  let timer: NodeJS.Timeout | undefined;
  let saying = false;
  const say = async () => {
    if (saying) return;
    saying = true;
    await store.events.attend(tenant, turnId).catch(() => undefined);
    saying = false;
  };
  return {
    begin() {
      if (timer) return;
      timer = setInterval(() => void say(), ATTEND_EVERY_MS).unref();
      void say();
    },
    end() {
      if (!timer) return;
      clearInterval(timer);
      void store.events.leave(tenant, turnId).catch(() => undefined);
    },
  };
}
