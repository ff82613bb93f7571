import { setTimeout as pause } from 'node:timers/promises';
import type OpenAI from 'openai';
import type { Gate } from './gates.ts';
import { itemEvents } from './output.ts';
import type { OutputPlan } from './plan.ts';
import type { StoredResponse } from './responses.ts';
import { inputTokens, outputTokens } from './tokens.ts';
import type { OutputItem, WireEvent, WireResponse } from './wire.ts';

/** Generates a response event by event, as the plan says. Never rejects; a cancelled one just stops. */
export async function play(stored: StoredResponse, plan: OutputPlan, gate: Gate): Promise<void> {
  stored.generation.addEventListener('abort', () => {
    if (Object.keys(plan.usage).length > 0) stored.response.usage = usage(stored, plan);
  });
  try {
    begin(stored);
    for (const event of plan.prelude) stored.append(event);
    await generate(stored, plan, gate);
    finish(stored, plan);
  } catch (error) {
    if (!stored.generation.aborted) throw error;
  } finally {
    gate.close();
  }
}

function begin(stored: StoredResponse): void {
  stored.append({ type: 'response.created', response: stored.snapshot() });
  if (stored.request.background) {
    stored.append({ type: 'response.queued', response: stored.snapshot() });
  }
  stored.response.status = 'in_progress';
  stored.append({ type: 'response.in_progress', response: stored.snapshot() });
}

async function generate(stored: StoredResponse, plan: OutputPlan, gate: Gate): Promise<void> {
  let interrupt = plan.interrupt;
  let deltas = 0;
  for (const event of planEvents(plan)) {
    const isDelta = event.type.endsWith('.delta');
    const due = isDelta ? deltas === interrupt?.afterDeltas : event.type.endsWith('_text.done');
    if (interrupt !== null && due) {
      await happen(interrupt.kind, stored, gate);
      interrupt = null;
    }
    if (isDelta) {
      deltas += 1;
      if (plan.delayMs > 0) await pause(plan.delayMs, undefined, { signal: stored.generation });
    }
    stored.generation.throwIfAborted();
    stored.append(event);
    if (event.type === 'response.output_item.done') stored.response.output.push(event.item);
  }
}

/** A response that fails does so in mid-item: nothing of it is ever done. */
function* planEvents(plan: OutputPlan): Generator<WireEvent> {
  for (const [index, item] of plan.items.entries()) {
    for (const event of itemEvents(item, index, plan.chunks)) {
      if (plan.ending.status === 'failed' && event.type.endsWith('.done')) return;
      yield event;
    }
  }
}

async function happen(kind: 'cut' | 'hold', stored: StoredResponse, gate: Gate): Promise<void> {
  if (kind === 'hold') return gate.wait(stored.generation);
  stored.sever();
  if (!stored.request.background) stored.cancel();
}

function finish(stored: StoredResponse, plan: OutputPlan): void {
  const { response } = stored;
  const { ending } = plan;
  response.status = ending.status;
  response.usage = usage(stored, plan);
  if (ending.status === 'completed') {
    response.completed_at = Math.floor(Date.now() / 1_000);
    stored.append({ type: 'response.completed', response: stored.snapshot() });
  } else if (ending.status === 'incomplete') {
    response.incomplete_details = { reason: ending.reason };
    stored.append({ type: 'response.incomplete', response: stored.snapshot() });
  } else {
    const error = { code: ending.code, message: ending.message };
    response.error = error as WireResponse['error'];
    stored.append({ type: 'response.failed', response: stored.snapshot() });
  }
  stored.end();
}

function usage(stored: StoredResponse, plan: OutputPlan): OpenAI.Responses.ResponseUsage {
  const scripted = plan.usage;
  const output: OutputItem[] = plan.items;
  const input = scripted.inputTokens ?? inputTokens(stored.request);
  const generated = scripted.outputTokens ?? outputTokens(output);
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: scripted.cachedTokens ?? 0, cache_write_tokens: 0 },
    output_tokens: generated,
    output_tokens_details: { reasoning_tokens: scripted.reasoningTokens ?? 0 },
    total_tokens: input + generated,
  };
}
