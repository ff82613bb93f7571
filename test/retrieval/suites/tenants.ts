import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { VectorIndex } from '../../../src/contracts/retrieval.ts';
import { ask, chunksOf, document } from '../content.ts';
import type { TestIndexes } from '../indexes.ts';

const RUNS = process.env['FULL'] === '1' ? 100 : 12;
const DOCUMENTS = ['one', 'two'];
const BASES = ['handbook', 'rules'];

/** One thing that is done with a document. */
type Operation =
  | { do: 'ingest'; chunks: number }
  | { do: 'delete'; from: number }
  | { do: 'search'; bases: string[] };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('ingest'), chunks: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('delete'), from: fc.integer({ min: 0, max: 4 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('search'),
      bases: fc.subarray(BASES, { minLength: 1 }),
    }),
  },
);

/** For each tenant and document, what is done with it, in order. */
const plan = fc.record({
  // Names that a careless comparison takes for one another.
  names: fc.constantFrom(
    ['a', 'A'],
    ['a', 'a '],
    ['a', 'aa'],
    ['é', 'e\u0301'],
    ["'", "''"],
    ['*', '?'],
  ),
  lists: fc.array(fc.array(operation, { minLength: 2, maxLength: 7 }), {
    minLength: 4,
    maxLength: 4,
  }),
});

interface Work {
  tenant: string;
  documentId: string;
  base: string;
  operations: Operation[];
}

/** Both tenants have the same documents with the same words and vectors: only the tenant tells them apart. */
export function tenants(indexes: TestIndexes): void {
  it('while both add and delete documents', async () => {
    const index = await indexes.open('tenants', 2);
    await fc.assert(
      fc.asyncProperty(plan, async ({ names, lists }) => {
        const run = randomUUID();
        const work = lists.map((operations, n) => ({
          tenant: `${run} ${names[n % 2] ?? ''}`,
          documentId: DOCUMENTS[n >> 1] ?? '',
          base: BASES[n >> 1] ?? '',
          operations,
        }));
        await Promise.all(work.map((one) => perform(index, one)));
        for (const tenant of new Set(work.map((one) => one.tenant))) {
          const own = work.filter((one) => one.tenant === tenant);
          expect(await everything(index, tenant, BASES)).toEqual(own.flatMap(remaining).sort());
        }
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  });
}

async function perform(index: VectorIndex, work: Work): Promise<void> {
  const { tenant, documentId, base, operations } = work;
  for (const operation of operations) {
    if (operation.do === 'ingest') {
      const chunks = chunksOf(...textsOf(work, operation.chunks));
      const vectors = chunks.map(({ ordinal }) => [1, ordinal]);
      await index.upsert(document(documentId, { tenant, base }), chunks, vectors);
      await index.deleteDocument({ tenant, documentId }, operation.chunks);
    } else if (operation.do === 'delete') {
      await index.deleteDocument({ tenant, documentId }, operation.from);
    } else {
      const { bases } = operation;
      for (const text of await everything(index, tenant, bases)) {
        const [owner, kept] = text.split('|');
        expect(owner).toBe(tenant);
        expect(bases).toContain(kept);
      }
    }
  }
}

async function everything(index: VectorIndex, tenant: string, bases: string[]): Promise<string[]> {
  const found = await index.search(ask('ladder', [1, 1], { tenant, bases, limit: 100 }));
  return found.map(({ text }) => text).sort();
}

function textsOf({ tenant, documentId, base }: Work, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${tenant}|${base}|${documentId}| ladder ${n}`);
}

/** What is left of a document after all that was done with it. */
function remaining(work: Work): string[] {
  const count = work.operations.reduce((left, operation) => {
    if (operation.do === 'ingest') return operation.chunks;
    return operation.do === 'delete' ? Math.min(left, operation.from) : left;
  }, 0);
  return textsOf(work, count);
}
