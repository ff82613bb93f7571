import { describe, expect, it, vi } from 'vitest';
import { createSummarize } from '../../src/activities/summarize.ts';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { Item, JsonObject } from '../../src/contracts/json.ts';
import { ModelError, type Model, type ModelEvent } from '../../src/contracts/model.ts';
import {
  StoreUnavailable,
  type Store,
  type SummaryStore,
  type SummaryWork,
} from '../../src/contracts/store.ts';
import { attemptOf, completed, modelOf, ports, question, shutDown } from './stand-ins.ts';

const INPUT = { tenant: 'default', conversationId: 'conversation-1' };
const SECRET = 'My card is 4000 1234.';

const answer = (text: string): Item => ({
  type: 'message',
  role: 'assistant',
  content: [{ type: 'output_text', text }],
});
const refusal: Item = {
  type: 'message',
  role: 'assistant',
  content: [{ type: 'refusal', refusal: 'I would rather not.' }],
};

function workOf(definition: Partial<AssistantDefinition> = {}): SummaryWork {
  const items = [question(SECRET), answer('I see.')];
  return {
    definition: { name: 'A', model: 'small', ...definition },
    endUser: 'user-7',
    summary: { text: 'They spoke of beavers.', through: 4 },
    items: items.map((item, n) => ({
      item,
      position: 5 + n,
      turnId: 't',
      createdAt: new Date(0),
    })),
  };
}

async function* saying(...events: ModelEvent[]): AsyncGenerator<ModelEvent> {
  yield* events;
}

const modelError = (kind: ModelError['kind'], retryable: boolean, retryAfterMs = 0) =>
  new ModelError(kind, `It said: ${kind}.`, { retryable, retryAfterMs });

/** Answers each model by its name: with text, or with a failure. */
function modelsOf(replies: Record<string, string | Item | ModelError>) {
  return {
    ...modelOf(() => saying()),
    stream: vi.fn<Model['stream']>(async ({ model }) => {
      const reply = replies[model] ?? expect.unreachable(`${model} was asked`);
      if (reply instanceof ModelError) throw reply;
      const item = typeof reply === 'string' ? answer(reply) : reply;
      return { requestId: 'req_1', events: saying(completed([item])) };
    }),
  };
}

interface Setup {
  work?: SummaryWork | null;
  model?: ReturnType<typeof modelOf>;
  extend?: SummaryStore['extend'];
  attempt?: number;
}

function summarize(setup: Setup = {}) {
  const { work = workOf(), model = modelsOf({ small: 'Beavers and cards.' }), attempt = 1 } = setup;
  const summaries = {
    work: vi.fn<SummaryStore['work']>(async () => work),
    extend: vi.fn<SummaryStore['extend']>(setup.extend ?? (async () => ({ more: false }))),
  };
  const log: JsonObject[] = [];
  const note = (message: string, fields: JsonObject = {}) => void log.push({ message, ...fields });
  const logger = { info: note, warn: note, error: note };
  const store = { summaries } as unknown as Store;
  const environment = attemptOf({ attempt });
  const { summarize: activity } = createSummarize(ports({ store, model, logger }));
  const result = environment.run(activity, INPUT).catch((error: unknown) => error);
  const written = () => summaries.extend.mock.calls.map(([, , change]) => change);
  const asked = () => model.stream.mock.calls.map(([request]) => request.model);
  return { result, environment, model, summaries, log, written, asked };
}

describe('a summary', () => {
  it('takes the place of the one before, up to the last item that the model was told of', async () => {
    const { result, written, model } = summarize();
    expect(await result).toEqual({ more: false });
    expect(written()).toEqual([{ after: 4, summary: { text: 'Beavers and cards.', through: 6 } }]);
    const [request] = model.stream.mock.calls[0] ?? [];
    expect(request).toMatchObject({ model: 'small', safetyIdentifier: 'user-7' });
    expect(JSON.stringify(request?.input)).toContain('They spoke of beavers.');
    expect(JSON.stringify(request?.input)).toContain(SECRET);
  });

  it('costs nothing where there is nothing to summarize', async () => {
    const { result, model, written } = summarize({ work: null });
    expect(await result).toEqual({ more: false });
    expect(model.stream).not.toHaveBeenCalled();
    expect(written()).toEqual([]);
  });

  it('goes on where there is more, and looks again where another attempt was faster', async () => {
    const more = summarize({ extend: async () => ({ more: true }) });
    expect(await more.result).toEqual({ more: true });
    const slower = summarize({ extend: async () => null });
    expect(await slower.result).toEqual({ more: true });
  });

  it('is not paid for twice because the database is away for a moment', async () => {
    let attempts = 0;
    const { result, asked, written } = summarize({
      extend: async () => {
        if (++attempts === 1) throw new StoreUnavailable(new Error('connection lost'));
        return { more: false };
      },
    });
    expect(await result).toEqual({ more: false });
    expect(written()).toHaveLength(2);
    expect(asked()).toEqual(['small']);
  });

  it('is text that the store can keep, and no longer than it may be', async () => {
    const work = workOf({ context: { maxTokens: 1_000 } });
    const model = modelsOf({ small: `a\u0000b${'c'.repeat(10_000)}` });
    const { result, written } = summarize({ work, model });
    await result;
    expect(written()[0]?.summary.text).toMatch(/^a\ufffdbc+$/);
    expect(written()[0]?.summary.text.length).toBeLessThan(1_000);
  });

  it('leaves a line in the log with what it cost, and nothing of what was said', async () => {
    const { result, log } = summarize();
    await result;
    expect(log).toMatchObject([
      { message: 'summary', conversation: 'conversation-1', request_id: 'req_1', through: 6 },
    ]);
    expect(Object.keys(log[0] ?? {})).toEqual(
      expect.arrayContaining(['input_tokens', 'output_tokens', 'model', 'response_id']),
    );
    expect(JSON.stringify(log)).not.toMatch(/card|beaver/i);
  });
});

describe('a model that fails', () => {
  it('is asked again later and later, and no sooner than it says', async () => {
    const fail = async (attempt: number, error: ModelError) => {
      const { result, written } = summarize({ attempt, model: modelsOf({ small: error }) });
      const failure = await result;
      expect(failure).toMatchObject({ type: 'model_retry', nonRetryable: false });
      expect(written()).toEqual([]);
      return (failure as { nextRetryDelay: number }).nextRetryDelay;
    };
    const error = modelError('server_error', true);
    expect(await fail(1, error)).toBeLessThanOrEqual(1_000);
    expect(await fail(8, error)).toBeGreaterThanOrEqual(64_000);
    expect(await fail(50, error)).toBeLessThanOrEqual(600_000);
    expect(await fail(1, modelError('rate_limited', true, 90_000))).toBe(90_000);
  });

  it('for good ends the summary, which stays as it was', async () => {
    const model = modelsOf({ small: modelError('authentication', false) });
    const { result, written, log } = summarize({ model });
    expect(await result).toMatchObject({
      type: 'model_failed',
      nonRetryable: true,
      details: ['authentication'],
    });
    expect(written()).toEqual([]);
    expect(log).toMatchObject([{ message: 'summary failed', failure: 'authentication' }]);
  });

  it('for good is followed by the fallback model', async () => {
    const work = workOf({ fallbackModel: 'large' });
    const model = modelsOf({ small: modelError('model_not_found', false), large: 'Cards.' });
    const { result, written, asked } = summarize({ work, model });
    expect(await result).toEqual({ more: false });
    expect(asked()).toEqual(['small', 'large']);
    expect(written()).toMatchObject([{ summary: { text: 'Cards.', through: 6 } }]);
  });

  it('for the fourth time is followed by the fallback model, and no sooner', async () => {
    const work = workOf({ fallbackModel: 'large' });
    const failing = () =>
      modelsOf({ small: modelError('server_error', true), large: 'Beavers and cards.' });
    const third = summarize({ work, model: failing(), attempt: 3 });
    expect(await third.result).toMatchObject({ type: 'model_retry' });
    expect(third.asked()).toEqual(['small']);
    const fourth = summarize({ work, model: failing(), attempt: 4 });
    expect(await fourth.result).toEqual({ more: false });
    expect(fourth.asked()).toEqual(['small', 'large']);
  });
});

describe('what no model will read', () => {
  const filtered = modelError('content_filter', false);
  const incomplete: ModelEvent = {
    type: 'response.incomplete',
    response: {
      status: 'incomplete',
      incomplete_details: { reason: 'content_filter' },
      output: [answer('The user')],
    },
  };

  it.each([
    ['is refused', modelsOf({ small: filtered })],
    ['is answered by a refusal', modelsOf({ small: refusal })],
    ['is filtered in mid-answer', modelOf(() => saying(incomplete))],
  ])('and %s is left out, and the summary says so', async (_, model) => {
    const { result, written } = summarize({ model });
    expect(await result).toEqual({ more: false });
    const text = expect.stringMatching(/beavers\.\n\n\([^()]*\)$/) as string;
    expect(written()).toMatchObject([
      { after: 4, summary: { text, through: 5 } },
      { after: 5, summary: { text, through: 6 } },
    ]);
  });

  /** Ten items at the positions 5 to 14, of which one is `bad`. */
  function workWith(bad: number): SummaryWork {
    const items = Array.from({ length: 10 }, (_, n) => {
      const position = 5 + n;
      const item = question(position === bad ? SECRET : `Plain ${position}.`);
      return { item, position, turnId: 't', createdAt: new Date(0) };
    });
    return { ...workOf(), items };
  }

  it.each([5, 9, 14])('is left out alone, also among others (%i)', async (bad) => {
    const model = {
      ...modelOf(() => saying(completed([]))),
      stream: vi.fn<Model['stream']>(async ({ input }) => {
        const text = JSON.stringify(input);
        if (text.includes(SECRET)) throw filtered;
        const told = [...text.matchAll(/Plain \d+/g)].map(([plain]) => plain).join(' ');
        const gap = /\(Here something[^)]*\)/.exec(text)?.[0] ?? '';
        return { requestId: null, events: saying(completed([answer(`${told} ${gap}`)])) };
      }),
    };
    const { result, written } = summarize({ work: workWith(bad), model });
    expect(await result).toEqual({ more: false });
    const summaries = written();
    const last = summaries.at(-1)?.summary;
    expect(last?.text).toContain('(Here something');
    for (let position = 5; position <= (last?.through ?? 0); position++) {
      if (position !== bad) expect(last?.text).toContain(`Plain ${position}`);
    }
    // Each begins where the one before ended, and the one with the gap went one item further.
    const ends = [4, ...summaries.map(({ summary }) => summary.through)];
    expect(summaries.map(({ after }) => after)).toEqual(ends.slice(0, -1));
    expect(ends).toContain(bad - 1);
    expect(ends).toContain(bad);
    expect(model.stream.mock.calls.length).toBeLessThan(12);
  });

  it('is looked at again where another attempt was faster', async () => {
    const { result, asked } = summarize({
      work: workWith(14),
      model: {
        ...modelOf(() => saying(completed([]))),
        stream: vi.fn<Model['stream']>(async ({ input }) => {
          if (JSON.stringify(input).includes(SECRET)) throw filtered;
          return { requestId: null, events: saying(completed([answer('Plain.')])) };
        }),
      },
      extend: async () => null,
    });
    expect(await result).toEqual({ more: true });
    expect(asked()).toHaveLength(2);
  });

  it('is offered to the fallback model first', async () => {
    const work = workOf({ fallbackModel: 'large' });
    const { result, written } = summarize({
      work,
      model: modelsOf({ small: filtered, large: 'Cards.' }),
    });
    await result;
    expect(written()).toMatchObject([{ summary: { text: 'Cards.' } }]);
  });
});

describe('a model that says nothing', () => {
  it('because it thought for too long is asked about less', async () => {
    const thought: ModelEvent = {
      type: 'response.incomplete',
      response: {
        status: 'incomplete',
        incomplete_details: { reason: 'max_output_tokens' },
        output: [{ type: 'reasoning', summary: [] }],
      },
    };
    const model = {
      ...modelOf(() => saying(completed([]))),
      stream: vi.fn<Model['stream']>(async ({ input }) => {
        const isMuch = JSON.stringify(input).includes('I see.');
        const event = isMuch ? thought : completed([answer('Cards.')]);
        return { requestId: null, events: saying(event) };
      }),
    };
    const { result, written } = summarize({ model });
    expect(await result).toEqual({ more: false });
    expect(written()).toMatchObject([
      { after: 4, summary: { text: 'Cards.', through: 5 } },
      {
        after: 5,
        summary: { text: expect.stringMatching(/^Cards\..*\)$/s) as string, through: 6 },
      },
    ]);
  });

  it('is not asked for the same again', async () => {
    const { result, written } = summarize({ model: modelsOf({ small: '  ' }) });
    expect(await result).toMatchObject({ type: 'model_failed', nonRetryable: true });
    expect(written()).toEqual([]);
  });

  it('because its worker goes away is asked by another worker', async () => {
    const model = modelOf(async function* (signal) {
      yield { type: 'response.created' };
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw modelError('aborted', false);
    });
    const { result, environment, written } = summarize({
      work: workOf({ fallbackModel: 'large' }),
      model,
    });
    await vi.waitUntil(() => model.stream.mock.calls.length === 1);
    shutDown(environment);
    expect(await result).toMatchObject({ type: 'worker_shutdown', nonRetryable: false });
    expect(model.stream).toHaveBeenCalledOnce();
    expect(written()).toEqual([]);
  });
});
