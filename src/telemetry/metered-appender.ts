import type { Appender } from '../contracts/store.ts';
import type { FirstTokens } from './first-tokens.ts';
import type { Metrics } from './metrics.ts';
import { refusalCounter } from './refusals.ts';

/** Takes the time to the first token, and counts attempts that learn by appending that they have lost their step. */
export function meteredAppender(
  appender: Appender,
  metrics: Metrics,
  firstTokens: FirstTokens,
): Appender {
  const refusal = refusalCounter(metrics);
  const watched = new WeakSet<AbortSignal>();
  return {
    ...appender,
    resume(ref, appended) {
      appender.resume(ref, appended);
      firstTokens.begunBefore(ref);
    },
    append(ref, event) {
      appender.append(ref, event);
      firstTokens.shown(ref, event);
    },
    lost(ref) {
      const lost = appender.lost(ref);
      if (!watched.has(lost)) {
        watched.add(lost);
        lost.addEventListener('abort', () => refusal(lost.reason), { once: true });
      }
      return lost;
    },
  };
}
