import { describe, expect, it, vi } from 'vitest';
import { createRetrieve } from '../../src/activities/retrieve.ts';
import type { Embedder, Passage, VectorIndex } from '../../src/contracts/retrieval.ts';
import { StoreUnavailable } from '../../src/contracts/store.ts';
import { attemptOf, context, ports, question, stepStore, TURN } from './stand-ins.ts';

const PASSAGE: Passage = {
  chunkId: 'c',
  documentId: 'd',
  documentName: 'ladders.md',
  start: 0,
  end: 4,
  text: 'Shed',
  score: 1,
};

const KNOWLEDGE = { knowledge: { bases: ['handbook', 'rules'], maxPassages: 3 } };

function indexOf(
  search: VectorIndex['search'],
): VectorIndex & { search: ReturnType<typeof vi.fn> } {
  return { search: vi.fn(search) } as unknown as ReturnType<typeof indexOf>;
}

interface Setup {
  attempt?: number;
  index?: VectorIndex | null;
  embedder?: Embedder | null;
  steps?: ReturnType<typeof stepStore>;
}

function retrieve({ attempt = 1, index = null, embedder = null, steps = stepStore() }: Setup) {
  const activity = createRetrieve(ports({ steps, index, embedder }));
  const input = { ...TURN, step: 'retrieve', after: [] };
  return attemptOf({ attempt })
    .run(activity, input)
    .catch((error: unknown) => error);
}

describe('a retrieval', () => {
  it('searches the assistant’s bases for what the user has just said', async () => {
    const steps = stepStore();
    const more = {
      position: 2,
      turnId: TURN.turnId,
      item: question('And the key?'),
      createdAt: new Date(0),
    };
    const { items } = context();
    const before = { ...more, turnId: 'turn-0', item: question('Hello!') };
    steps.loadContext.mockResolvedValue(context(KNOWLEDGE, { items: [before, ...items, more] }));
    const index = indexOf(async () => [PASSAGE]);
    expect(await retrieve({ index, steps })).toEqual({ passages: 1 });
    expect(index.search).toHaveBeenCalledWith({
      tenant: TURN.tenant,
      bases: ['handbook', 'rules'],
      text: 'Where are the ladders?\nAnd the key?',
      vector: null,
      limit: 3,
    });
    expect(steps.settleRetrieval.mock.calls[0]?.[1]).toEqual([PASSAGE]);
  });

  it('searches by meaning too where there is an embedder', async () => {
    const embed = vi.fn(async () => [[0.5, 0.5]]);
    const index = indexOf(async () => []);
    await retrieve({ index, embedder: { space: 's', dimensions: 2, embed } });
    expect(embed.mock.calls[0]).toMatchObject([['Where are the ladders?'], { signal: {} }]);
    expect(index.search).toHaveBeenCalledWith(expect.objectContaining({ vector: [0.5, 0.5] }));
  });

  it('searches for nothing when the user has said nothing in words', async () => {
    const steps = stepStore();
    steps.loadContext.mockResolvedValue(context(KNOWLEDGE, { items: [] }));
    const index = indexOf(async () => [PASSAGE]);
    expect(await retrieve({ index, steps })).toEqual({ passages: 0 });
    expect(index.search).not.toHaveBeenCalled();
  });

  it('is not repeated when it was settled', async () => {
    const steps = stepStore({
      state: 'settled',
      status: 'completed',
      result: { passages: 2 },
      error: null,
    });
    const index = indexOf(async () => [PASSAGE]);
    expect(await retrieve({ index, steps })).toEqual({ passages: 2 });
    expect(index.search).not.toHaveBeenCalled();
  });
});

describe('a retrieval that fails', () => {
  const broken = indexOf(() => Promise.reject(new Error('no such table')));

  it('is tried again', async () => {
    for (const attempt of [1, 2, 3]) {
      const steps = stepStore();
      expect(await retrieve({ attempt, index: broken, steps })).toMatchObject({
        nonRetryable: false,
      });
      expect(steps.settleFailure).not.toHaveBeenCalled();
    }
  });

  it('is given up at the fourth attempt; the turn goes on without passages', async () => {
    const steps = stepStore();
    expect(await retrieve({ attempt: 4, index: broken, steps })).toEqual({ passages: 0 });
    const failure = { reason: 'retrieval_failed', message: 'no such table' };
    expect(steps.settleFailure.mock.calls[0]?.slice(1)).toEqual([failure, { passages: 0 }]);
  });

  it('is given up at once when the worker has no index', async () => {
    const steps = stepStore();
    expect(await retrieve({ index: null, steps })).toEqual({ passages: 0 });
    expect(steps.settleFailure).toHaveBeenCalledOnce();
  });

  it('is tried again without end while it is the store that is away', async () => {
    const steps = stepStore();
    steps.settleRetrieval.mockRejectedValue(new StoreUnavailable(new Error('connection lost')));
    const index = indexOf(async () => [PASSAGE]);
    expect(await retrieve({ attempt: 9, index, steps })).toMatchObject({ type: 'unavailable' });
    expect(steps.settleFailure).not.toHaveBeenCalled();
  });
});
