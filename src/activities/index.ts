import type {
  CompensateActivities,
  IngestActivities,
  SummarizeActivities,
  TurnActivities,
} from '../contracts/turn.ts';
import { createCloseTurn } from './close-turn.ts';
import { createCompensate } from './compensate.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { createIngest } from './ingest.ts';
import { createReadActions } from './read-actions.ts';
import { createRespond } from './respond.ts';
import { createRetrieve } from './retrieve.ts';
import { createRunTool } from './run-tool.ts';
import { createSummarize } from './summarize.ts';

/** All activities of a worker, made from its ports. */
export function createActivities(
  dependencies: ActivityDependencies,
): TurnActivities & CompensateActivities & SummarizeActivities & IngestActivities {
  return {
    retrieve: createRetrieve(dependencies),
    respond: createRespond(dependencies),
    runTool: createRunTool(dependencies),
    readActions: createReadActions(dependencies),
    closeTurn: createCloseTurn(dependencies),
    ...createCompensate(dependencies),
    ...createSummarize(dependencies),
    ...createIngest(dependencies),
  };
}
