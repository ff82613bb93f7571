import { isNestedDeeper, MAX_NESTING, type JsonObject } from '../contracts/json.ts';

/** A response has what a caller gave in it, some levels down. */
const MAX_LEVELS = MAX_NESTING + 20;

/** What is nested without end can neither be stored nor be sent on. */
export function refuseDeep(received: JsonObject): void {
  if (isNestedDeeper(received, MAX_LEVELS))
    throw new SyntaxError(`something that is nested deeper than ${MAX_LEVELS} levels`);
}
