import { describe, expect, it, vi } from 'vitest';
import { createRespond } from '../../src/activities/respond.ts';
import { TurnkeeperError } from '../../src/contracts/errors.ts';
import type { Item, JsonObject } from '../../src/contracts/json.ts';
import { ModelError, type ModelErrorKind, type ModelEvent } from '../../src/contracts/model.ts';
import {
  StepRefused,
  type RunningCall,
  type Turn,
  type TurnStore,
} from '../../src/contracts/store.ts';
import {
  appender,
  attemptOf,
  completed,
  context,
  modelOf,
  ports,
  stepStore,
  TURN,
} from './stand-ins.ts';

const MESSAGE: Item = {
  type: 'message',
  id: 'm',
  role: 'assistant',
  content: [{ type: 'output_text', text: 'Dams and lodges.', annotations: [] }],
};
const CREATED: ModelEvent = {
  type: 'response.created',
  response: { id: 'resp_1' },
  sequence_number: 0,
};
const delta = (text: string, number: number): ModelEvent => ({
  type: 'response.output_text.delta',
  item_id: 'm',
  output_index: 0,
  content_index: 0,
  delta: text,
  sequence_number: number,
});
const END: ModelEvent = { ...completed([MESSAGE]), sequence_number: 9 };
const FINISHED = END['response'] as JsonObject;

const RUNNING: RunningCall = {
  callId: 'call',
  responseId: 'resp_1',
  events: [CREATED, delta('Dams', 1)],
  appended: 2,
  inputTokens: 10,
  failedCalls: 0,
};

const REFUSALS: ModelErrorKind[] = ['invalid_request', 'authentication'];

function failure(
  kind: ModelErrorKind,
  details: { status?: number; responseEnded?: boolean } = {},
): ModelError {
  return new ModelError(kind, 'It failed.', { retryable: !REFUSALS.includes(kind), ...details });
}

/** What one connection says: its events, and then how it breaks, where it does. */
type Connection = (ModelEvent | ModelError)[];

async function* saying(connection: Connection): AsyncGenerator<ModelEvent> {
  for (const said of connection) {
    if (said instanceof ModelError) throw said;
    yield said;
  }
}

interface Setup {
  running?: RunningCall;
  /** The create's, then those that go on with it. */
  connections?: Connection[];
  polls?: (JsonObject | null | ModelError)[];
  turnState?: Turn['state'] | 'deleted';
  /** Its id was learnt too late for the store to take it as an event. */
  orphan?: boolean;
}

/** One attempt at a call in the background, without waiting between connections. */
function respond(setup: Setup) {
  const { running, connections = [], polls = [], turnState = 'started', orphan = false } = setup;
  const steps = stepStore({ state: 'open', earlierAttempts: 1, ...(running && { running }) });
  steps.loadContext.mockResolvedValue(context({ generation: 'background' }));
  const events = appender();
  const model = modelOf(() => saying(connections.shift() ?? [failure('connection')]));
  model.poll.mockImplementation(async () => {
    const answer = polls.shift() ?? failure('connection');
    if (answer instanceof ModelError) throw answer;
    return answer;
  });
  const turns = {
    get: async () => {
      if (turnState === 'deleted') throw new TurnkeeperError('turn_not_found', 'Deleted.');
      return { state: turnState };
    },
    settleAbandoned: vi.fn(),
    markStopped: vi.fn(),
    identifyOrphan: vi.fn<TurnStore['identifyOrphan']>(async () => orphan),
  };
  const environment = attemptOf();
  const parts = { ...ports({ steps, appender: events, model }) };
  Object.assign(parts.store, { turns });
  const input = { ...TURN, step: 'respond:1', after: [], model: 'small', follows: null };
  const reply = environment.run(createRespond(parts), input).catch((error: unknown) => error);
  const settled = () => steps.settleResponse.mock.lastCall?.[1];
  return { reply, steps, events, model, turns, environment, settled };
}

const ANSWER = { kind: 'answer' };
const RESPONSE = { id: 'resp_1', model: 'small' };

describe('a response in the background', () => {
  it('is asked for with its intent, and its id is stored before anything else is read', async () => {
    const { reply, steps, events, model } = respond({ connections: [[CREATED, END]] });
    expect(await reply).toEqual(ANSWER);
    expect(steps.recordIntent.mock.lastCall?.[1]).toMatchObject({ background: true });
    expect(model.stream.mock.lastCall?.[0]).toMatchObject({ background: true });
    const [flushed] = events.flush.mock.invocationCallOrder;
    const [, next] = events.append.mock.invocationCallOrder;
    expect(flushed).toBeLessThan(Number(next));
  });

  it('of an earlier attempt is gone on with behind the last event that was stored', async () => {
    const again = [delta('Dams', 1), delta(' and lodges.', 2), END];
    const { reply, steps, events, model, settled } = respond({
      running: RUNNING,
      connections: [again],
    });
    expect(await reply).toEqual(ANSWER);
    expect(steps.recordIntent).not.toHaveBeenCalled();
    expect(model.stream).not.toHaveBeenCalled();
    expect(model.resume.mock.lastCall).toMatchObject([RESPONSE, { after: 1 }]);
    expect(events.resume.mock.lastCall?.[1]).toBe(2);
    // What the provider sent once more is not shown once more.
    expect(events.appended.map(({ sequence_number: number }) => number)).toEqual([2, 9]);
    expect(settled()).toMatchObject({ items: [MESSAGE], usage: { callId: 'call' } });
  });

  it('that was read to its end by an earlier attempt is not asked for at all', async () => {
    const done = { type: 'response.output_item.done', item: MESSAGE, sequence_number: 8 };
    const { reply, model, settled } = respond({
      running: { ...RUNNING, events: [CREATED, done, END] },
    });
    expect(await reply).toEqual(ANSWER);
    expect(model.resume).not.toHaveBeenCalled();
    expect(settled()).toMatchObject({ items: [MESSAGE], events: [], rewind: false });
  });

  it.each<ModelErrorKind>(['connection', 'timeout', 'protocol'])(
    'is gone on with after a failure of the connection (%s)',
    async (kind) => {
      const { reply, model, steps } = respond({
        connections: [[CREATED, delta('Dams', 1), failure(kind)], [END]],
      });
      expect(await reply).toEqual(ANSWER);
      expect(model.stream).toHaveBeenCalledOnce();
      expect(model.resume.mock.lastCall).toMatchObject([RESPONSE, { after: 1 }]);
      expect(steps.recordFailedCall).not.toHaveBeenCalled();
    },
  );

  it('is not made again within the attempt when its create failed', async () => {
    const { reply, model, steps } = respond({ connections: [[failure('timeout')]] });
    expect(await reply).toMatchObject({ type: 'model_retry' });
    expect(model.stream).toHaveBeenCalledOnce();
    expect(steps.recordFailedCall).toHaveBeenCalledOnce();
  });

  it('that is silent twice in a row is stopped, and has failed', async () => {
    const silent = () => [failure('timeout')];
    const { reply, model, steps } = respond({
      running: RUNNING,
      connections: [silent(), [delta(' and', 2), failure('timeout')], silent(), [END]],
    });
    expect(await reply).toMatchObject({ type: 'model_retry' });
    expect(model.resume).toHaveBeenCalledTimes(3);
    expect(model.cancel).toHaveBeenCalledWith(RESPONSE);
    expect(steps.recordFailedCall).toHaveBeenCalledOnce();
  });

  it.each([
    ['has failed', failure('server_error', { responseEnded: true })],
    ['is lost', failure('response_lost', { responseEnded: true })],
  ])('that %s is not gone on with', async (_what, error) => {
    const { reply, model, steps } = respond({ running: RUNNING, connections: [[error]] });
    expect(await reply).toMatchObject({ type: 'model_retry' });
    expect(model.resume).toHaveBeenCalledOnce();
    expect(model.cancel).not.toHaveBeenCalled();
    expect(steps.recordFailedCall.mock.lastCall?.[2]).toMatchObject({ error: error.kind });
  });

  it('whose stream tells of an error is asked after: no other is made while it goes on', async () => {
    const { reply, model, steps } = respond({
      running: RUNNING,
      connections: [[failure('server_error')]],
      polls: [null, FINISHED],
    });
    expect(await reply).toEqual(ANSWER);
    expect(model.resume).toHaveBeenCalledOnce();
    expect(steps.recordFailedCall).not.toHaveBeenCalled();
    expect(model.cancel).not.toHaveBeenCalled();
  });

  it('that cannot be read any more is stopped', async () => {
    const refused = failure('authentication', { status: 401 });
    const { reply, model } = respond({ running: RUNNING, connections: [[refused]] });
    expect(await reply).toMatchObject({ type: 'model_failed' });
    expect(model.cancel).toHaveBeenCalledWith(RESPONSE);
  });

  it('that is too old to be streamed is asked after until it has finished', async () => {
    const { reply, events, settled } = respond({
      running: RUNNING,
      connections: [[failure('invalid_request', { status: 400 })]],
      polls: [null, failure('connection'), FINISHED],
    });
    expect(await reply).toEqual(ANSWER);
    expect(events.appended).toEqual([]);
    const response = settled();
    expect(response).toMatchObject({ items: [MESSAGE], rewind: false });
    const deltas = response?.events.map(({ delta: text }) => text).filter(Boolean);
    expect(deltas).toEqual([' and lodges.']);
  });

  it('that says something else than was shown takes that back as it is stored', async () => {
    const { reply, settled } = respond({
      running: { ...RUNNING, events: [CREATED, delta('Voles', 1)] },
      connections: [[failure('invalid_request', { status: 400 })]],
      polls: [FINISHED],
    });
    expect(await reply).toEqual(ANSWER);
    const deltas = settled()
      ?.events.map(({ delta: text }) => text)
      .filter(Boolean);
    expect(deltas).toEqual(['Dams and lodges.']);
    expect(settled()?.rewind).toBe(true);
  });

  it('of a server without sequence numbers is asked after', async () => {
    const { reply, model } = respond({
      running: { ...RUNNING, events: [{ type: 'response.created', response: { id: 'resp_1' } }] },
      polls: [FINISHED],
    });
    expect(await reply).toEqual(ANSWER);
    expect(model.resume).not.toHaveBeenCalled();
  });

  it.each([
    ['whose turn is sealed when the step is lost is stopped', 'sealed', false, 1],
    ['whose turn is deleted by then is stopped', 'deleted', false, 1],
    ['that another attempt may have gone on with is left alone', 'started', false, 0],
    ['that nobody else can know of is stopped, also under a turn that goes on', 'started', true, 1],
  ] as const)('%s', async (_, turnState, orphan, times) => {
    const connections = [[CREATED, delta('Dams', 1), END]];
    const { reply, events, model, turns } = respond({ turnState, orphan, connections });
    events.flush.mockImplementationOnce(async () => {
      events.lose(new StepRefused('step_fenced', 'Lost.'));
    });
    expect(await reply).toMatchObject({ type: 'step_fenced' });
    const [ref, ...noted] = turns.identifyOrphan.mock.lastCall ?? [];
    expect([ref?.step, ...noted]).toEqual(['respond:1', 'call', 'resp_1']);
    expect(model.cancel).toHaveBeenCalledTimes(times);
    expect(turns.markStopped).toHaveBeenCalledTimes(times);
  });
});
