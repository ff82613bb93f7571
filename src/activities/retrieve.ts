import { activityInfo } from '@temporalio/activity';
import { TURN_LIMIT_DEFAULTS } from '../contracts/assistant.ts';
import { ModelError } from '../contracts/model.ts';
import type { Passage } from '../contracts/retrieval.ts';
import {
  StepRefused,
  StoreUnavailable,
  type StepRef,
  type TurnContext,
} from '../contracts/store.ts';
import type { StepInput } from '../contracts/turn.ts';
import { searchText } from '../conversation/context.ts';
import { stepRef, whileBeating } from './attempt.ts';
import { cancelSignal, isCancelled } from './cancellation.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { messageOf, throwingFailures } from './failures.ts';
import { stepFields } from './step-log.ts';

const MAX_ATTEMPTS = 4;
const MAX_QUERY_CHARACTERS = 8_000;

type Dependencies = Pick<ActivityDependencies, 'store' | 'index' | 'embedder' | 'logger'>;

/** Looks for passages. One that fails for good settles its step as failed, and the model answers without them. */
export function createRetrieve(dependencies: Dependencies) {
  return (input: StepInput): Promise<{ passages: number }> =>
    throwingFailures(() => whileBeating(() => retrieve(dependencies, input)));
}

async function retrieve(
  dependencies: Dependencies,
  input: StepInput,
): Promise<{ passages: number }> {
  const { store, logger } = dependencies;
  const startedAt = Date.now();
  const ref = stepRef(input);
  const begun = await store.steps.begin({ ...ref, after: input.after, kind: 'retrieve' });
  if (begun.state === 'settled') return settledPassages(begun.result);
  const context = await store.steps.loadContext(ref);
  try {
    const found = await search(dependencies, ref, context);
    const passages = await store.steps.settleRetrieval(ref, found);
    const fields = { end_user: context.endUser, passages };
    logger.info('step', { ...stepFields(ref, startedAt), ...fields });
    return { passages };
  } catch (error) {
    if (!isForGood(error)) throw error;
    const failure = { reason: 'retrieval_failed', message: messageOf(error) };
    await store.steps.settleFailure(ref, failure, { passages: 0 });
    const fields = { end_user: context.endUser, failure: failure.message };
    logger.warn('retrieval failed', { ...stepFields(ref, startedAt), ...fields });
    return { passages: 0 };
  }
}

function settledPassages(result: unknown): { passages: number } {
  return result as { passages: number };
}

function isForGood(error: unknown): boolean {
  if (error instanceof StoreUnavailable || error instanceof StepRefused || isCancelled(error))
    return false;
  if (error instanceof ModelError && !error.retryable) return true;
  return error instanceof RetrievalOff || activityInfo().attempt >= MAX_ATTEMPTS;
}

class RetrievalOff extends Error {}

async function search(
  { index, embedder }: Dependencies,
  { tenant, turnId }: StepRef,
  context: TurnContext,
): Promise<Passage[]> {
  if (!index) throw new RetrievalOff('This worker has no vector index.');
  const text = searchText(context, turnId).slice(0, MAX_QUERY_CHARACTERS);
  if (text.trim() === '') return [];
  const [vector] = (await embedder?.embed([text], { signal: cancelSignal() })) ?? [];
  const { bases = [], maxPassages = TURN_LIMIT_DEFAULTS.maxPassages } =
    context.definition.knowledge ?? {};
  return index.search({ tenant, bases, text, vector: vector ?? null, limit: maxPassages });
}
