import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from './api-error.ts';
import { offlineAnswer } from './answer.ts';
import { checkInput } from './input-rules.ts';
import type { Exchange } from './exchange.ts';
import { sendJson } from './exchange.ts';
import type { OfflineModel } from './offline-model.ts';
import { outputPlan, planStep } from './plan.ts';
import type { OutputPlan, Plan } from './plan.ts';
import { play } from './play.ts';
import { readCreateRequest } from './request.ts';
import type { CreateRequest } from './request.ts';
import type { StoredResponse } from './responses.ts';
import { openEventStream, sendBytes, sendEvents } from './stream.ts';

/** A client that learns of a broken connection drops what it has not read yet: it gets time to read. */
const BEFORE_CUT_MS = 50;

/** `POST /v1/responses`. Rejects with `ApiError`. */
export async function createResponse(model: OfflineModel, exchange: Exchange): Promise<void> {
  const request = readCreateRequest(exchange.body);
  checkInput(request.input);
  const plan = choosePlan(model, request, exchange);
  switch (plan.kind) {
    case 'error':
      throw plan.error;
    case 'bytes':
      return sendBytes(exchange.answer, plan.chunks);
    case 'silence':
      if (plan.headers) openEventStream(exchange.answer);
      await untilGone(exchange.gone);
      return;
    case 'output':
      return answerWith(start(model, request, plan, exchange), exchange);
  }
}

function choosePlan(model: OfflineModel, request: CreateRequest, exchange: Exchange): Plan {
  if (model.script === null) return outputPlan(offlineAnswer(request), model.deltaMs);
  const step = model.script.take(request);
  if (step !== null) return planStep(step);
  exchange.entry.scriptExhausted = true;
  throw new ApiError(400, "The offline model's script has no step left for this request.", {
    code: 'offline_script_exhausted',
  });
}

function start(
  model: OfflineModel,
  request: CreateRequest,
  plan: OutputPlan,
  exchange: Exchange,
): StoredResponse {
  const stored = model.responses.add(request, plan);
  exchange.entry.responseId = stored.id;
  if (!request.background) {
    exchange.gone.addEventListener('abort', () => {
      stored.cancel();
    });
  }
  void play(stored, plan, model.gates.open());
  return stored;
}

async function answerWith(stored: StoredResponse, exchange: Exchange): Promise<void> {
  const { answer, gone } = exchange;
  const { stream, background } = stored.request;
  if (background && !stream) {
    sendJson(answer, 200, { ...stored.snapshot(), status: 'queued', output: [] });
    return;
  }
  if (stream) await sendEvents(answer, stored.follow(-1, { signal: gone, creator: true }));
  else await stored.settled(gone);
  if (stored.severed) {
    await pause(BEFORE_CUT_MS);
    exchange.cut();
  } else if (stream) answer.end();
  else if (!gone.aborted) sendJson(answer, 200, stored.snapshot());
}

async function untilGone(gone: AbortSignal): Promise<void> {
  if (!gone.aborted) await once(gone, 'abort');
}
