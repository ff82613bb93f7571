import { setTimeout as pause } from 'node:timers/promises';
import type { BackgroundResponse, ModelRequest } from '../contracts/model.ts';
import type { NewEvent, RunningCall, StepRef } from '../contracts/store.ts';
import { readerEvent, type CollectedReply } from '../conversation/collect.ts';
import { isShuttingDown } from './cancellation.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { graceForId, type IdGrace } from './grace-for-id.ts';
import { endsStreaming, mayRunStill, Patience } from './patience.ts';
import { ResponseProgress } from './response-progress.ts';
import { stopUnwanted, tellToStop } from './stop-response.ts';

type Dependencies = Pick<ActivityDependencies, 'model' | 'appender' | 'store' | 'logger'>;

export interface AskedCall {
  callId: string;
  request: ModelRequest;
  /** The same call, begun by an earlier attempt. */
  running?: RunningCall;
}

export interface StreamedReply {
  reply: CollectedReply;
  /** Of the last connection. */
  requestId: string | null;
  /** What readers have still to be shown, once the reply is stored. */
  rest: NewEvent[];
  /** `rest` is the whole reply, and stands for what was shown of it before. */
  rewind: boolean;
}

interface Following extends IdGrace {
  parts: Dependencies;
  ref: StepRef;
  request: ModelRequest;
  progress: ResponseProgress;
  patience: Patience;
  requestId: string | null;
}

const POLL_EVERY_MS = 1_000;

/**
 * Reads a background response to its end, over as many connections as that takes: it goes on at the provider, whoever
 * listens. One that is too old to be streamed is asked after until it has finished. One that gives no sign of life is
 * stopped, and has failed like any model call.
 */
export async function followResponse(
  parts: Dependencies,
  ref: StepRef,
  call: AskedCall,
  stop: AbortSignal,
): Promise<StreamedReply> {
  const { request, running } = call;
  // Once it is sent, it is waited for until its id is known.
  if (!running) stop.throwIfAborted();
  const progress = new ResponseProgress(running?.events);
  const following: Following = {
    ...graceForId(stop),
    parts,
    ref,
    request,
    progress,
    patience: new Patience(),
    requestId: null,
  };
  if (running) {
    parts.appender.resume(ref, running.appended);
    following.idIsStored();
  }
  try {
    return await toItsEnd(following);
  } catch (error) {
    const response = responseOf(following);
    if (response && stop.aborted && !isShuttingDown())
      await stopUnwanted(parts, ref, { ...response, callId: call.callId });
    throw error;
  }
}

async function toItsEnd(following: Following): Promise<StreamedReply> {
  let streams = true;
  for (;;) {
    const begun = responseOf(following);
    const polls = !streams || following.progress.isUnnumbered;
    try {
      return begun && polls ? await pollToEnd(following, begun) : await readToEnd(following);
    } catch (error) {
      const response = responseOf(following);
      if (!response) throw error;
      if (!polls && endsStreaming(error)) streams = false;
      else await beforeAnother(following, response, error);
    }
  }
}

/** Over one connection: that of the create, or one that goes on behind what was read before. */
async function readToEnd(following: Following): Promise<StreamedReply> {
  const { progress, patience } = following;
  if (!progress.ended) {
    const { events, requestId } = await connect(following);
    following.requestId = requestId;
    for await (const event of events) {
      const before = responseOf(following);
      if (!progress.add(event)) continue;
      patience.renew();
      following.parts.appender.append(following.ref, readerEvent(event));
      if (!before && responseOf(following)) await storeId(following);
    }
  }
  return { reply: progress.reply(), requestId: following.requestId, rest: [], rewind: false };
}

function connect(following: Following) {
  const { parts, progress, request, signal } = following;
  const response = responseOf(following);
  const { after } = progress;
  if (!response || after === null) return parts.model.stream(request, { signal });
  return parts.model.resume(response, { after, signal });
}

/** Until then a kill would leave a response that nobody can find. */
async function storeId({ parts, ref, idIsStored }: Following): Promise<void> {
  await parts.appender.flush(ref);
  idIsStored();
}

async function pollToEnd(
  { parts, progress, patience, requestId, signal }: Following,
  response: BackgroundResponse,
): Promise<StreamedReply> {
  for (;;) {
    const finished = await parts.model.poll(response, { signal });
    if (finished) {
      const { events: rest, rewind } = progress.finish(finished);
      return { reply: progress.reply(), requestId, rest, rewind };
    }
    patience.renew();
    await pause(POLL_EVERY_MS, undefined, { signal });
  }
}

/** Waits a while before the next connection. Throws the error when that is no use, once nothing runs any more. */
async function beforeAnother(
  { parts, ref, patience, signal }: Following,
  response: BackgroundResponse,
  error: unknown,
): Promise<void> {
  const delayMs = patience.after(error);
  if (delayMs !== null && !patience.isOver) return pause(delayMs, undefined, { signal });
  if (mayRunStill(error)) await tellToStop(parts, ref, response);
  throw error;
}

function responseOf({
  progress,
  request,
}: Pick<Following, 'progress' | 'request'>): BackgroundResponse | null {
  const { responseId: id } = progress;
  return id === null ? null : { id, model: request.model };
}
