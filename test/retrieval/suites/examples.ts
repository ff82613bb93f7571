import { readdir, readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { chunkText } from '../../../src/conversation/chunks.ts';
import { ask, document, once } from '../content.ts';
import type { TestIndexes } from '../indexes.ts';

const DOCUMENTS = new URL('../../../examples/documents/', import.meta.url);

export function examples(indexes: TestIndexes): void {
  const filled = once(async () => {
    const index = await indexes.open('examples', null);
    for (const name of await readdir(DOCUMENTS)) {
      const text = await readFile(new URL(name, DOCUMENTS), 'utf8');
      await index.upsert(document(name, { name }), chunkText(name, text), null);
    }
    return index;
  });

  it.each([
    ['How many weeks of paid leave does a new parent get?', '20 weeks of leave at full pay'],
    ['What is the hotel limit in London?', 'In London, Zurich'],
    ['Can I fly business class?', 'business class only with written'],
    ['How do I roll back a deployment?', '`ship rollback`'],
    ['What am I paid for being on call?', '450 euros a week'],
    ['How long must my password be?', 'at least 16 characters'],
    ['How many days a week can I work from home?', 'three days a week'],
  ])('answer by full text alone: %s', async (question, fact) => {
    const index = await filled();
    const [first] = await index.search(ask(question));
    expect(first?.text).toContain(fact);
  });
}
