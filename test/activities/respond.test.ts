import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it, vi } from 'vitest';
import { createRespond } from '../../src/activities/respond.ts';
import type { Item } from '../../src/contracts/json.ts';
import { ModelError, type ModelEvent } from '../../src/contracts/model.ts';
import { StepRefused, StoreUnavailable } from '../../src/contracts/store.ts';
import type { ToolDefinition } from '../../src/contracts/tools.ts';
import {
  appender,
  attemptOf,
  completed,
  context,
  modelOf,
  ports,
  shutDown,
  stepStore,
  TURN,
} from './stand-ins.ts';

const MESSAGE: Item = {
  type: 'message',
  role: 'assistant',
  content: [{ type: 'output_text', text: 'Yes.', annotations: [] }],
};

const delta = (text: string): ModelEvent => ({
  type: 'response.output_text.delta',
  item_id: 'm',
  delta: text,
});

async function* answering(): AsyncGenerator<ModelEvent> {
  yield delta('Yes.');
  yield completed([MESSAGE]);
}

/** Says one delta and then nothing, until it is told to stop. */
async function* hanging(signal: AbortSignal): AsyncGenerator<ModelEvent> {
  yield delta('Y');
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  throw new ModelError('aborted', 'The model call was aborted by its caller.', {
    retryable: false,
  });
}

function clientTool(): ToolDefinition {
  const parameters = { type: 'object' };
  return { name: 'ask', description: 'Asks.', parameters, policy: 'at-most-once' };
}

function respond({
  steps = stepStore(),
  say = answering as typeof hanging,
  tools = [] as ToolDefinition[],
} = {}) {
  steps.loadContext.mockResolvedValue(context({ tools: tools.map(({ name }) => name) }));
  const environment = attemptOf();
  const events = appender();
  const model = modelOf(say);
  const activity = createRespond(ports({ steps, appender: events, model, tools }));
  const input = { ...TURN, step: 'respond:1', after: [], model: 'small', follows: null };
  const reply = environment.run(activity, input).catch((error: unknown) => error);
  const streaming = () => vi.waitUntil(() => events.appended.length === 1);
  return { reply, environment, events, model, steps, streaming };
}

describe('a model call', () => {
  it('is not made again when its step was settled', async () => {
    const steps = stepStore({
      state: 'settled',
      status: 'completed',
      result: { kind: 'answer' },
      error: null,
    });
    const { reply, model } = respond({ steps });
    expect(await reply).toEqual({ kind: 'answer' });
    expect(model.stream).not.toHaveBeenCalled();
  });

  it('that had failed for good fails again, as it did', async () => {
    const error = { reason: 'content_filter', message: 'Not that.' };
    const { reply, model } = respond({
      steps: stepStore({ state: 'settled', status: 'failed', result: null, error }),
    });
    expect(await reply).toMatchObject({
      type: 'model_failed',
      message: 'Not that.',
      details: ['content_filter'],
    });
    expect(model.stream).not.toHaveBeenCalled();
  });

  it('is announced to the store before it is sent', async () => {
    const { reply, model, steps } = respond();
    expect(await reply).toEqual({ kind: 'answer' });
    const [recorded] = steps.recordIntent.mock.invocationCallOrder;
    expect(recorded).toBeLessThan(Number(model.stream.mock.invocationCallOrder[0]));
  });

  it('whose reply cannot be stored is not paid for twice', async () => {
    const steps = stepStore();
    steps.settleResponse.mockRejectedValueOnce(new StoreUnavailable(new Error('connection lost')));
    const { reply, model } = respond({ steps });
    expect(await reply).toEqual({ kind: 'answer' });
    expect(model.stream).toHaveBeenCalledOnce();
    expect(steps.settleResponse).toHaveBeenCalledTimes(2);
    expect(steps.settleResponse.mock.lastCall?.[1].items).toEqual([MESSAGE]);
  });

  it('that comes to nothing by a mistake of ours is not paid for without end', async () => {
    for (const failedCalls of [0, 3]) {
      const steps = stepStore();
      const intent = { callId: 'call', failedCalls, abandonedCalls: 0, orphans: 0 };
      steps.recordIntent.mockResolvedValue(intent);
      steps.settleResponse.mockRejectedValue(new RangeError('Maximum call stack size exceeded'));
      const { reply } = respond({ steps });
      const last = failedCalls === 3;
      expect(await reply).toMatchObject({ type: last ? 'model_failed' : 'model_retry' });
      const failure = { requestId: null, error: 'internal_error', refused: false };
      expect(steps.recordFailedCall.mock.calls).toMatchObject([[{}, 'call', failure]]);
      const ended = { reason: 'internal_error', message: 'Maximum call stack size exceeded' };
      expect(steps.settleFailure.mock.calls).toMatchObject(last ? [[{}, ended]] : []);
    }
  });

  it.each([clientTool(), { ...clientTool(), run: () => 'ran', approval: 'always' as const }])(
    'that asks for a tool with arguments without end waits for nobody: the model is told',
    async (definition) => {
      const deep = `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`;
      const call = { type: 'function_call', call_id: 'c', name: 'ask', arguments: deep };
      const asking = async function* () {
        yield completed([call]);
      };
      const { reply, steps } = respond({ say: asking, tools: [definition] });
      expect(await reply).toMatchObject({ kind: 'calls', calls: [{ callId: 'c' }] });
      expect(steps.settleResponse.mock.lastCall?.[1]).toMatchObject({ items: [call] });
      expect(steps.settleResponse.mock.lastCall?.[1].waiting).toBeUndefined();
    },
  );

  it('stops when the turn is cancelled', async () => {
    const { reply, environment, streaming, steps } = respond({ say: hanging });
    await streaming();
    environment.cancel();
    expect(await reply).toBeInstanceOf(CancelledFailure);
    expect(steps.recordFailedCall).not.toHaveBeenCalled();
    expect(steps.settleResponse).not.toHaveBeenCalled();
  });

  it('gives way to another worker when its own goes away, with all that was said in the store', async () => {
    const { reply, environment, streaming, events } = respond({ say: hanging });
    await streaming();
    shutDown(environment);
    expect(await reply).toMatchObject({
      type: 'worker_shutdown',
      nonRetryable: false,
      nextRetryDelay: 1,
    });
    expect(events.flush).toHaveBeenCalledOnce();
  });

  it('stops when another attempt has taken its step over', async () => {
    const { reply, streaming, events, model, steps } = respond({ say: hanging });
    await streaming();
    events.lose(new StepRefused('step_fenced', 'Attempt 1 has lost its step.'));
    const failure = await reply;
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: 'step_fenced' });
    expect(model.stream.mock.calls[0]?.[1].signal.aborted).toBe(true);
    expect(steps.recordFailedCall).not.toHaveBeenCalled();
  });

  it('lets go of its events however it ends', async () => {
    for (const say of [answering as typeof hanging, hanging]) {
      const { reply, environment, events } = respond({ say });
      await vi.waitUntil(() => events.appended.length > 0);
      environment.cancel();
      await reply;
      expect(events.release).toHaveBeenCalledOnce();
    }
  });
});
