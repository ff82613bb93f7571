import type { Logger } from '../contracts/logger.ts';
import type { Model } from '../contracts/model.ts';
import type { Embedder, VectorIndex } from '../contracts/retrieval.ts';
import type { TurnStarter } from '../contracts/starter.ts';
import type { Appender, Store } from '../contracts/store.ts';
import type { Tools } from '../contracts/tools.ts';

/** The ports that activities work with; compose joins them. */
export interface ActivityDependencies {
  store: Store;
  appender: Appender;
  model: Model;
  tools: Tools;
  /** Null where there is no vector index: turns then answer without passages, and say so. */
  index: VectorIndex | null;
  /** Null where no embedding model can be had: full text alone. */
  embedder: Embedder | null;
  starter: TurnStarter;
  logger: Logger;
}
