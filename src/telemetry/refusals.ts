import { StepRefused } from '../contracts/store.ts';
import type { Metrics } from './metrics.ts';

/** Counts an error if it is a refusal by the ledger. */
export function refusalCounter({ fenceRefusals }: Metrics): (error: unknown) => void {
  return (error) => {
    if (error instanceof StepRefused) fenceRefusals.inc({ reason: error.reason });
  };
}

type Method = (...args: unknown[]) => Promise<unknown>;

/** The same port; `tell` hears of each error that one of its methods rejects with. */
export function tellingRejections<Port extends object>(
  port: Port,
  tell: (error: unknown) => void,
): Port {
  const telling =
    (method: Method): Method =>
    async (...args) => {
      try {
        return await method(...args);
      } catch (error) {
        tell(error);
        throw error;
      }
    };
  const methods = Object.entries(port as Record<string, Method>);
  return Object.fromEntries(methods.map(([name, method]) => [name, telling(method)])) as Port;
}
