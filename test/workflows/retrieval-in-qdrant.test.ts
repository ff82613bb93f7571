import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { requirePart } from '../support/require-part.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { inputOf, runTurn, useWorld } from '../support/turns.ts';

const LADDERS = 'Ladders are kept in the shed behind the greenhouse. Ask for the key at the desk.';

let proxy: TcpProxy | undefined;
const world = useWorld(async (databaseUrl) => {
  const url = inject('qdrantEngineUrl');
  if (url === null) return {};
  proxy = await startTcpProxy(new URL(url).host);
  return {
    QDRANT_URL: proxy.through(url),
    // Where both are set, Qdrant is taken.
    VECTOR_DATABASE_URL: databaseUrl,
    EMBEDDINGS: 'openai',
    EMBEDDING_DIMENSIONS: '64',
  };
});
beforeEach((context) => requirePart(context, 'qdrant-engine'));
afterAll(() => proxy?.stop());

/** Qdrant is away while this runs. */
async function withoutQdrant<T>(work: () => Promise<T>): Promise<T> {
  proxy?.cut();
  try {
    return await work();
  } finally {
    proxy?.restore();
  }
}

const addLadders = (name: string) =>
  world.current.turnkeeper.documents.add({ base: 'handbook', name, content: LADDERS });

const whenIndexed = ({ id }: { id: string }) =>
  world.current.turnkeeper.documents.whenIndexed(id, { timeoutMs: 30_000 });

const askForLadders = (answer: string) =>
  runTurn(world.current, {
    assistant: { knowledge: { bases: ['handbook'] } },
    input: 'Where are the ladders?',
    script: [{ kind: 'answer', text: answer }],
  });

describe('a turn with knowledge in Qdrant', () => {
  it('gives the model the passages, and tells the caller which', async () => {
    const document = await addLadders('ladders.md');
    expect(await whenIndexed(document)).toMatchObject({ status: 'indexed', chunks: 1 });
    const turn = await askForLadders('In the shed [1].');
    expect(turn.steps).toMatchObject([{ key: 'retrieve', status: 'completed' }, {}]);
    expect(JSON.stringify(inputOf(turn.requests[0])[0])).toContain('[1] ladders.md');
    expect(turn.sources).toMatchObject([
      { documentId: document.id, documentName: 'ladders.md', start: 0, text: LADDERS },
    ]);
    expect(await world.current.sql(`SELECT to_regnamespace('turnkeeper_vectors') AS name`)).toEqual(
      [{ name: null }],
    );
  });

  it('is answered without passages while Qdrant is away, and its step says why', async () => {
    const turn = await withoutQdrant(() => askForLadders('I do not know.'));
    expect(turn).toMatchObject({ status: 'completed', answer: 'I do not know.', sources: [] });
    expect(inputOf(turn.requests[0])).toHaveLength(1);
    const [retrieve] = turn.steps;
    expect(retrieve).toMatchObject({
      key: 'retrieve',
      status: 'failed',
      error: { reason: 'retrieval_failed' },
    });
    expect(retrieve?.error?.message).toContain(`Qdrant at ${proxy?.address ?? ''} does not answer`);
  });
});

it('a document that is added while Qdrant is away is indexed when it is back', async () => {
  const document = await withoutQdrant(async () => {
    const added = await addLadders('late.md');
    await expect.poll(() => attemptsOf(`ingest:${added.id}`)).toBeGreaterThan(1);
    return added;
  });
  expect(await whenIndexed(document)).toMatchObject({ status: 'indexed', chunks: 1 });
});

/** Of the activity that the workflow waits for. */
async function attemptsOf(workflowId: string): Promise<number> {
  const { raw } = await world.current.temporal.workflow.getHandle(workflowId).describe();
  return raw.pendingActivities?.[0]?.attempt ?? 0;
}

it('a worker whose Qdrant cannot be reached does not start, and says so', async () => {
  const starting = withoutQdrant(() => world.current.startWorker());
  await expect(starting).rejects.toThrow('index_unreachable');
});
