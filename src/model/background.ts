import type OpenAI from 'openai';
import type { JsonObject } from '../contracts/json.ts';
import { ModelError, type Model } from '../contracts/model.ts';
import { classifyFailedEvent, classifyModelFailure } from './classify.ts';
import { openStream } from './event-stream.ts';
import { refuseDeep } from './refuse-deep.ts';
import { watchIdle, type IdleWatch } from './watch-idle.ts';

/** How long a provider may take to stop a response, milliseconds. */
const CANCEL_MS = 2_000;

/** What can be done with a response that the server generates in the background. */
export function backgroundResponses(
  { responses }: OpenAI,
  { idleTimeoutMs, secrets }: { idleTimeoutMs: number; secrets: string[] },
): Pick<Model, 'resume' | 'poll' | 'cancel'> {
  return {
    resume({ id }, { after, signal }) {
      // `responses.stream` would not send the cursor: it has everything sent again, and skips it here.
      const params = { stream: true, starting_after: after } as const;
      const open = (aborted: AbortSignal) =>
        responses.retrieve(id, params, { signal: aborted }).withResponse();
      return tellingLoss(openStream(open, watchIdle(signal, idleTimeoutMs), secrets));
    },
    async poll({ id }, { signal }) {
      const watch = watchIdle(signal, idleTimeoutMs);
      const ask = (aborted: AbortSignal) => responses.retrieve(id, {}, { signal: aborted });
      return finished(await answerOf(ask, watch, secrets), secrets);
    },
    async cancel({ id }) {
      const watch = watchIdle(new AbortController().signal, CANCEL_MS);
      const ask = (aborted: AbortSignal) => responses.cancel(id, { signal: aborted });
      try {
        return await answerOf(ask, watch, secrets);
      } catch (error) {
        if (error instanceof ModelError && error.kind === 'response_lost') return null;
        throw error;
      }
    },
  };
}

async function answerOf(
  ask: (signal: AbortSignal) => Promise<object>,
  watch: IdleWatch,
  secrets: string[],
): Promise<JsonObject> {
  try {
    const answer = (await watch.during(ask(watch.signal))) as JsonObject;
    refuseDeep(answer);
    return answer;
  } catch (error) {
    throw lossOf(watch.failure(null) ?? classifyModelFailure(error, { secrets }));
  } finally {
    watch.stop();
  }
}

function finished(response: JsonObject, secrets: string[]): JsonObject | null {
  const { status } = response;
  if (status === 'completed' || status === 'incomplete') return response;
  const failure = classifyFailedEvent(
    { type: `response.${String(status)}`, response },
    { secrets },
  );
  if (failure) throw failure;
  if (status !== 'cancelled') return null;
  const message = 'The response was cancelled at the provider.';
  throw new ModelError('server_error', message, { retryable: true, responseEnded: true });
}

async function tellingLoss<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof ModelError ? lossOf(error) : error;
  }
}

/** What a server says of a response that it does not know any more. */
function lossOf(error: ModelError): ModelError {
  if (error.status !== 404) return error;
  const { status, requestId } = error;
  const details = { retryable: true, responseEnded: true, status, requestId };
  return new ModelError('response_lost', error.message, details);
}
