import pg from 'pg';
import { describe, expect, it } from 'vitest';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { openStore } from '../../src/store/postgres.ts';
import { closedHistory, decodedPayloads } from '../support/histories.ts';
import { endOf, inputOf, runTurn, useWorld } from '../support/turns.ts';

// Full text alone needs no extension, so the world's own PostgreSQL does for documents too.
const world = useWorld((databaseUrl) => ({ VECTOR_DATABASE_URL: databaseUrl }));

const LADDERS = 'Ladders are kept in the shed behind the greenhouse. Ask for the key at the desk.';
const answer = (text = 'In the shed [1].'): ScriptStep => ({ kind: 'answer', text });

async function addDocument(base: string, name: string, content: string): Promise<string> {
  const { documents } = world.current.turnkeeper;
  const { id } = await documents.add({ base, name, content });
  expect(await documents.whenIndexed(id, { timeoutMs: 30_000 })).toMatchObject({
    status: 'indexed',
  });
  return id;
}

describe('a turn with knowledge', () => {
  it('gives the model the passages that fit, and tells the caller which', async () => {
    const documentId = await addDocument('handbook', 'ladders.md', LADDERS);
    await addDocument('other', 'secret.md', 'Ladders of the other base are kept elsewhere.');
    const turn = await runTurn(world.current, {
      assistant: { knowledge: { bases: ['handbook'] } },
      input: 'Where are the ladders?',
      script: [answer()],
    });
    expect(turn.steps).toMatchObject([
      { key: 'retrieve', kind: 'retrieve', status: 'completed' },
      {},
    ]);
    const [passages, question] = inputOf(turn.requests[0]);
    expect(passages).toMatchObject({ role: 'user' });
    expect(JSON.stringify(passages)).toContain(
      `[1] ladders.md, characters 0–${LADDERS.length}\\n${LADDERS}`,
    );
    expect(question).toMatchObject({ role: 'user' });
    expect(turn.sources).toMatchObject([
      { documentId, documentName: 'ladders.md', start: 0, end: LADDERS.length, text: LADDERS },
    ]);
  });

  it('keeps what was said and found out of Temporal’s history', async () => {
    await addDocument('words', 'words.md', 'The password of the day is xylophone.');
    const turn = await runTurn(world.current, {
      assistant: {
        knowledge: { bases: ['words'] },
        instructions: 'Talk like a zebra.',
        tools: ['add'],
      },
      input: 'Tell me the password, walrus.',
      script: [
        { kind: 'calls', calls: [{ name: 'add', arguments: { a: 8_675_309, b: 1 } }] },
        answer('Marzipan.'),
      ],
    });
    expect(turn.sources).toHaveLength(1);
    const kept = decodedPayloads(await closedHistory(world.current, turn.id));
    expect(kept).toContain(turn.id);
    expect(kept).not.toMatch(/xylophone|zebra|walrus|8675309|8675310|marzipan/i);
  });

  it('is retried with the passages that it had, and nothing is searched again', async () => {
    await addDocument('tools', 'ladders.md', LADDERS);
    const failed = await runTurn(world.current, {
      assistant: { knowledge: { bases: ['tools'] } },
      input: 'Where are the ladders?',
      script: [{ kind: 'error', status: 400 }],
    });
    expect(failed).toMatchObject({ status: 'failed', sources: [{ text: LADDERS }] });
    await addDocument('tools', 'other.md', 'Ladders are kept elsewhere by now.');
    await world.current.offline.script([answer()]);
    const again = await endOf(world.current, await world.current.turnkeeper.turns.retry(failed.id));
    expect(again).toMatchObject({ status: 'completed', sources: failed.sources });
    expect(again.steps.map(({ key }) => key)).toEqual(['respond:1']);
    expect(inputOf(again.requests[0])).toEqual(inputOf(failed.requests[0]));
  });

  it('answers without passages when nothing fits', async () => {
    const turn = await runTurn(world.current, {
      assistant: { knowledge: { bases: ['nothing-there'] } },
      script: [answer('I do not know.')],
    });
    expect(turn).toMatchObject({ status: 'completed', sources: [] });
    expect(inputOf(turn.requests[0])).toHaveLength(1);
  });
});

describe('when the index is broken', () => {
  it('a turn is answered without passages, and its step says why', async () => {
    await addDocument('handbook', 'more.md', LADDERS);
    await sql('ALTER SCHEMA turnkeeper_vectors RENAME TO away');
    try {
      const turn = await runTurn(world.current, {
        assistant: { knowledge: { bases: ['handbook'] } },
        input: 'Where are the ladders?',
        script: [answer('I do not know.')],
      });
      expect(turn).toMatchObject({ status: 'completed', answer: 'I do not know.', sources: [] });
      expect(turn.steps).toMatchObject([
        { key: 'retrieve', status: 'failed', attempts: 4, error: { reason: 'retrieval_failed' } },
        { key: 'respond:1', status: 'completed' },
      ]);
    } finally {
      await sql('ALTER SCHEMA away RENAME TO turnkeeper_vectors');
    }
  });

  it('a document waits, and is indexed when the index is back', async () => {
    await sql('ALTER SCHEMA turnkeeper_vectors RENAME TO away');
    const { documents } = world.current.turnkeeper;
    const { id } = await documents.add({ base: 'handbook', name: 'late.md', content: LADDERS });
    expect(await documents.get(id)).toMatchObject({ status: 'stored', chunks: null });
    await sql('ALTER SCHEMA away RENAME TO turnkeeper_vectors');
    const record = await documents.whenIndexed(id, { timeoutMs: 30_000 });
    expect(record).toMatchObject({ status: 'indexed', chunks: 1 });
  });
});

describe('a document that is not text after all', () => {
  it('is marked as failed, with the reason', async () => {
    const { databaseUrl, env, temporal, turnkeeper } = world.current;
    const store = await openStore({ connectionString: databaseUrl, poolSize: 1 });
    const content = Buffer.from([0x41, 0xff, 0x42]);
    // Past the client, which would refuse it.
    const document = { base: 'handbook', name: 'odd.txt', mediaType: 'text/plain', content };
    const { id } = await store.documents.create('default', document).finally(() => store.close());
    const handle = await temporal.workflow.start('ingest', {
      workflowId: `ingest:${id}`,
      taskQueue: String(env['TURNKEEPER_TASK_QUEUE']),
      args: [{ tenant: 'default', documentId: id }],
    });
    await expect(handle.result()).rejects.toMatchObject({
      cause: { cause: { type: 'document_rejected' } },
    });
    expect(await turnkeeper.documents.get(id)).toMatchObject({
      status: 'failed',
      error: { reason: 'rejected', message: 'odd.txt is not valid UTF-8.' },
    });
  });
});

async function sql(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: world.current.databaseUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
