import type { IngestActivities, TurnActivities } from '../contracts/turn.ts';
import { createCloseTurn } from './close-turn.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { createIngest } from './ingest.ts';
import { createRespond } from './respond.ts';
import { createRetrieve } from './retrieve.ts';
import { createRunTool } from './run-tool.ts';

/** All activities of a worker, made from its ports. */
export function createActivities(
  dependencies: ActivityDependencies,
): TurnActivities & IngestActivities {
  return {
    retrieve: createRetrieve(dependencies),
    respond: createRespond(dependencies),
    runTool: createRunTool(dependencies),
    closeTurn: createCloseTurn(dependencies),
    ...createIngest(dependencies),
  };
}
