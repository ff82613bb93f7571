import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Passage } from '../../../src/contracts/retrieval.ts';
import type { Store } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import { attemptOf, beginRespond, newTurn } from '../fixtures.ts';

const passageOf = (documentId: string, text: string, score: number): Passage => ({
  chunkId: randomUUID(),
  documentId,
  documentName: 'ladders.md',
  start: 0,
  end: text.length,
  text,
  score,
});

async function newDocument({ documents }: Store, tenant: string): Promise<string> {
  const content = Buffer.from('text');
  const document = { base: 'b', name: 'ladders.md', mediaType: 'text/plain', content };
  return (await documents.create(tenant, document)).id;
}

/** A turn that looks for passages, and a document of its tenant that is indexed. */
async function retrieving({ store }: TestDatabase) {
  const turn = await newTurn(store);
  const ref = attemptOf(turn, 'retrieve');
  await store.steps.begin({ ...ref, after: [], kind: 'retrieve' });
  const indexed = await newDocument(store, turn.tenant);
  await store.documents.markIndexed(turn.tenant, indexed, 1);
  return { turn, ref, indexed };
}

export function passages(database: TestDatabase): void {
  test('are in the context best first, with the tokens used', async () => {
    const { store } = database;
    const { turn, ref, indexed } = await retrieving(database);
    const found = [
      passageOf(indexed, '{"NULL", \\ "}', 0.75),
      passageOf(indexed, 'zwei', -1.5),
      passageOf(indexed, '', 0),
    ];
    expect(await store.steps.settleRetrieval(ref, found)).toBe(3);
    await beginRespond(store, attemptOf(turn), ['retrieve']);
    await store.steps.recordIntent(attemptOf(turn), { model: 'small', inputTokens: 12 });
    const context = await store.steps.loadContext(attemptOf(turn));
    expect(context).toMatchObject({ passages: found, usedTokens: 12 });
    expect(await store.turns.sources(turn.tenant, turn.turnId)).toEqual(found);
  });

  test('of documents that are not indexed, or not of this tenant, are left out', async () => {
    const { store } = database;
    const { turn, ref, indexed } = await retrieving(database);
    const failed = await newDocument(store, turn.tenant);
    const failure = { reason: 'indexing_failed', message: 'no' };
    await store.documents.markFailed(turn.tenant, failed, failure);
    const stored = await newDocument(store, turn.tenant);
    const others = (await retrieving(database)).indexed;
    const ids = [failed, stored, others, randomUUID(), indexed];
    const found = ids.map((id) => passageOf(id, 'text', 1));
    expect(await store.steps.settleRetrieval(ref, found)).toBe(1);
    const kept = await store.turns.sources(turn.tenant, turn.turnId);
    expect(kept.map(({ documentId }) => documentId)).toEqual([indexed]);
    const again = await store.steps.begin({ ...ref, after: [], kind: 'retrieve' });
    expect(again).toMatchObject({ state: 'settled', result: { passages: 1 } });
    expect(await store.steps.settleRetrieval(ref, found)).toBe(1);
  });
}
