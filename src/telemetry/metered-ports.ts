import type { Model } from '../contracts/model.ts';
import type { Appender, Store } from '../contracts/store.ts';
import type { Tools } from '../contracts/tools.ts';
import { firstTokens } from './first-tokens.ts';
import { modelLabels } from './labels.ts';
import { meteredAppender } from './metered-appender.ts';
import { meteredModel } from './metered-model.ts';
import { meteredStore } from './metered-store.ts';
import type { Metrics } from './metrics.ts';

interface MeterablePorts {
  store: Store;
  appender: Appender;
  model: Model;
  tools: Tools;
}

/** The same ports, and what passes through them is counted. */
export function meteredPorts<Ports extends MeterablePorts>(ports: Ports, metrics: Metrics): Ports {
  const tokens = firstTokens(metrics);
  const modelLabel = modelLabels();
  const hasTool = (name: string) => ports.tools.get(name) !== undefined;
  return {
    ...ports,
    store: meteredStore(ports.store, { metrics, firstTokens: tokens, modelLabel, hasTool }),
    appender: meteredAppender(ports.appender, metrics, tokens),
    model: meteredModel(ports.model, metrics, modelLabel),
  };
}
