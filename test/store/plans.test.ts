import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import type { Store } from '../../src/contracts/store.ts';
import { openStore } from '../../src/store/postgres.ts';
import { hasPart } from '../support/require-part.ts';
import { describePostgres } from '../support/stores.ts';
import {
  CLERK,
  PATIENCE,
  QUESTION,
  RESPOND,
  appendOne,
  attemptOf,
  beginCompensation,
  beginRespond,
  beginTool,
  callItem,
  compensateStep,
  failedTurn,
  keyOf,
  newTurn,
  readEvents,
  response,
  toolResult,
  toolStep,
  usageOf,
  type TurnAt,
} from './fixtures.ts';
import { again } from './again.ts';
import { interrupting, waiting } from './queues.ts';
import { notesOf } from './undoings.ts';

const ROWS = 20_000;
/** What all methods together may read of one table: theirs, not everybody's. */
const FEW = 1_000;

/** Years of other conversations, all over. */
const FILL = `
  CREATE TEMP TABLE old AS
    SELECT n, gen_random_uuid() AS id, gen_random_uuid() AS turn FROM generate_series(1, ${ROWS}) n;
  INSERT INTO turnkeeper.assistants (id, tenant, version) SELECT id, 'old', 1 FROM old;
  INSERT INTO turnkeeper.assistant_versions (assistant_id, version, definition) SELECT id, 1, '{}' FROM old;
  INSERT INTO turnkeeper.conversations (id, tenant, metadata) SELECT id, 'old', '{}' FROM old;
  INSERT INTO turnkeeper.idempotency_keys (tenant, scope, key, request_hash, resource_id)
    SELECT 'old', 'conversations', n::text, '', id FROM old;
  INSERT INTO turnkeeper.turns (id, tenant, conversation_id, assistant_id, assistant_version, state, status,
      workflow_input, deadline)
    SELECT turn, 'old', id, id, 1, 'sealed', 'completed', '{}', now() FROM old;
  INSERT INTO turnkeeper.items (conversation_id, position, turn_id, type, item)
    SELECT id, 1, turn, 'message', '{}' FROM old;
  INSERT INTO turnkeeper.steps (turn_id, key, kind, status) SELECT turn, 'respond:1', 'respond', 'completed' FROM old;
  INSERT INTO turnkeeper.model_calls (id, turn_id, step_key, model, state, base_event)
    SELECT turn, turn, 'respond:1', 'small', 'completed', 1 FROM old;
  INSERT INTO turnkeeper.passages
    SELECT turn, 1, id, id, '', 0, 0, '', 0 FROM old;
  INSERT INTO turnkeeper.event_sequences SELECT turn, 2 FROM old;
  INSERT INTO turnkeeper.events (turn_id, seq, event) SELECT turn, 1, '{}' FROM old;
  INSERT INTO turnkeeper.documents (id, tenant, base, name, media_type, bytes, status)
    SELECT id, 'old', 'b' || n, 'n', 'text/plain', 0, 'indexed' FROM old;
  INSERT INTO turnkeeper.document_parts SELECT id, 0, '' FROM old;
  INSERT INTO turnkeeper.files (id, tenant, turn_id, name, media_type, bytes)
    SELECT id, 'old', turn, 'n', 'text/plain', 0 FROM old;
  INSERT INTO turnkeeper.file_parts SELECT id, 0, '' FROM old;
  INSERT INTO turnkeeper.actions (turn_id, call_id, kind, state, deadline)
    SELECT turn, 'a', 'approval', 'approved', now() FROM old;
  INSERT INTO turnkeeper.branch_effects SELECT turn, id FROM old;
  INSERT INTO turnkeeper.data_keys (id, conversation_id, wrapped, wrapped_by) SELECT turn, id, '', 'one' FROM old;
  ANALYZE;`;

/** Every method at least once, as the tenant with all the rows where it lists. */
async function useEverything(store: Store): Promise<void> {
  const turn = await newTurn(store, undefined, { cancelAfterMs: 60_000 });
  const { tenant, turnId, conversationId, assistantId } = turn;
  await store.events.attend(tenant, turnId);
  await store.events.leave(tenant, turnId);
  await store.turns.markStarted(tenant, turnId);
  await store.assistants.update(tenant, assistantId, CLERK);
  const retrieve = attemptOf(turn, 'retrieve');
  await store.steps.begin({ ...retrieve, after: [], kind: 'retrieve' });
  await store.steps.settleRetrieval(retrieve, []);
  const respond = attemptOf(turn);
  await beginRespond(store, respond, ['retrieve']);
  await store.steps.loadContext(respond);
  const failed = await store.steps.recordIntent(respond, { model: 'm', inputTokens: 1 });
  await store.steps.recordFailedCall(respond, failed.callId, {
    requestId: null,
    error: '',
    refused: true,
  });
  const { callId } = await store.steps.recordIntent(respond, { model: 'm', inputTokens: 1 });
  await appendOne(store, respond, 0, 'x');
  await store.events.appended(respond);
  const calls = response([callItem('a'), callItem('b')], { usage: usageOf(callId, 1, 1) });
  await store.steps.settleResponse(respond, { ...calls, summarize: 1 });
  await beginTool(store, toolStep(turn, 'a'), 'a');
  await beginTool(store, toolStep(turn, 'a', 2), 'a');
  await store.steps.settleTool(toolStep(turn, 'a', 2), toolResult('a'));
  const second = attemptOf(turn, 'respond:2');
  await beginRespond(store, second, [RESPOND, 'tool:a']);
  await appendOne(store, second, 0, 'y');
  await store.turns.accept(tenant, {
    conversationId,
    assistantId,
    items: [QUESTION],
    key: keyOf('k'),
  });
  await waitBehind(store, turn);
  const made = { turnId, name: 'n', mediaType: 'text/plain', content: Buffer.from('x'), key: 'k' };
  const [file] = await store.files.create(tenant, [made]);
  await store.files.read(tenant, file?.id ?? '');
  await store.files.list(tenant, { turnId }, {});
  const summary = { text: 's', through: 1 };
  await store.sweep.outgrownConversations(0, 10);
  await store.summaries.work(tenant, conversationId);
  await store.summaries.extend(tenant, conversationId, { after: 0, summary });
  await store.steps.loadContext(second);
  await store.turns.seal(tenant, turnId, { status: 'cancelled' });
  await store.turns.steps(tenant, turnId);
  await store.turns.usage(tenant, turnId);
  await store.turns.sources(tenant, turnId);
  await store.compensations.outcomes(tenant, turnId);
  await readEvents(store, turn);
  await compensateEverything(store);
  await branchOff(store);
  await useKeys(store, conversationId);
  await deleteOne(store);
  await listEverything(store, tenant, conversationId);
  await listEverything(store, 'old', null);
}

async function waitBehind(store: Store, turn: TurnAt): Promise<void> {
  const { tenant, conversationId } = turn;
  await waiting(store, turn, 'a');
  await interrupting(store, turn, 'b');
  await waiting(store, turn, 'c');
  const items = { items: [QUESTION], maxQueued: 20 };
  await store.conversations.addItems(tenant, conversationId, items);
  await store.sweep.overdueQueued(10);
  await store.sweep.awaitedTurns({ olderThanMs: -1, everyMs: 0 }, 10);
  await store.sweep.cancellingTurns(-1, 10);
  await store.checkup.startedTurns({ olderThanMs: -1, everyMs: 0 }, 10);
  await store.checkup.waitingInVain(10);
  await store.checkup.statesOf([turn.turnId]);
  await store.checkup.free(tenant, conversationId);
  await store.checkup.closeLeftOpen(tenant, turn.turnId);
  await store.checkup.turnsIn(['queued'], 0, 10);
  await store.checkup.turnsIn(['accepted', 'started'], 0, 10);
  await store.checkup.overlooked(60_000);
  await store.checkup.leftOpen(10);
}

async function deleteOne(store: Store): Promise<void> {
  const turn = await newTurn(store, undefined, { key: keyOf('deleted') });
  const { tenant, conversationId, turnId } = turn;
  await waiting(store, turn, 'd');
  await store.turns.seal(tenant, turnId, { status: 'cancelled' });
  const [next] = (await store.turns.list(tenant, conversationId, { order: 'desc' })).data;
  await store.turns.seal(tenant, next?.id ?? '', { status: 'cancelled' });
  await store.conversations.delete(tenant, conversationId);
  const [deleted] = await store.sweep.deletedConversations(-1_000, 10);
  expect(deleted?.workflows).toHaveLength(3);
  await store.sweep.markEnded(conversationId);
  const place = { tenant, conversationId };
  expect(await store.sweep.removeRows(place, 5_000)).toBe('none');
}

async function compensateEverything(store: Store): Promise<void> {
  const turn = await failedTurn(store, 'a', 'b');
  const ref = compensateStep(turn, 'b');
  await store.compensations.effects(turn.tenant, turn.turnId);
  await beginCompensation(store, ref);
  await store.compensations.loadEffect(ref, 'b');
  await store.compensations.settle(ref, null);
  await store.compensations.abandon(turn.tenant, turn.turnId, { reason: '', message: '' });
  await store.compensations.close(turn.tenant, turn.turnId);
}

/** Branches of branches, of a turn whose effects are undone after they are made. */
async function branchOff(store: Store): Promise<void> {
  const undone = await failedTurn(store, 'a', 'b');
  const { tenant, turnId, conversationId } = undone;
  const later = await newTurn(store, undone);
  const { turn: branch } = await store.turns.edit(tenant, {
    turnId: later.turnId,
    items: [QUESTION],
  });
  const { turn: twig } = await store.turns.edit(tenant, { turnId: branch.id, items: [QUESTION] });
  await store.compensations.request(tenant, turnId);
  await store.compensations.abandon(tenant, turnId, { reason: '', message: '' });
  await store.turns.seal(tenant, later.turnId, { status: 'cancelled' });
  const retry = await again(store, { ...later, conversationId });
  await store.turns.seal(tenant, retry.turnId, { status: 'completed' });
  const anew = await again(store, retry, { kind: 'regenerate' });
  await store.turns.seal(tenant, anew.turnId, { status: 'cancelled' });
  const notes = await notesOf({ store }, { ...undone, conversationId: twig.conversationId });
  expect(notes).toHaveLength(2);
}

async function useKeys(store: Store, id: string): Promise<void> {
  const wrapped = Buffer.from('key');
  const fresh = { id: randomUUID(), wrapped, wrappedBy: 'two' };
  const key = await store.keys.ensure({ kind: 'conversation', id }, fresh);
  expect(await store.keys.find(fresh.id)).toEqual(key);
  expect(await store.keys.wrappers()).toHaveLength(2);
  expect(await store.keys.wrappedByOthers('one', 10)).toHaveLength(1);
  expect(await store.keys.rewrap({ ...fresh, wrappedBy: 'one' }, 'two')).toBe(true);
}

async function listEverything(store: Store, tenant: string, conversationId: string | null) {
  for (const order of ['asc', 'desc'] as const) {
    const page = { limit: 5, order };
    const { data, nextCursor: cursor } = await store.assistants.list(tenant, page);
    if (cursor) await store.assistants.list(tenant, { ...page, cursor });
    const conversations = await store.conversations.list(tenant, {}, page);
    await store.conversations.list(tenant, { endUser: 'anna' }, page);
    await store.documents.list(tenant, {}, page);
    await store.documents.list(tenant, { base: 'b7' }, page);
    await store.files.list(tenant, {}, page);
    const id = conversationId ?? conversations.data[0]?.id ?? '';
    await store.conversations.items(tenant, id, {}, page);
    await store.turns.list(tenant, id, page);
    expect(data).not.toHaveLength(0);
  }
  const content = Buffer.from('text');
  const made = { base: 'new', name: 'n', mediaType: 'text/plain', content };
  const document = await store.documents.create(tenant, made);
  await store.documents.read(tenant, document.id);
  await store.sweep.unindexedDocuments({ olderThanMs: 0, everyMs: 0 }, 10);
  await store.documents.markIndexed(tenant, document.id, 1);
  await store.sweep.unstartedTurns(0, 10);
  await store.sweep.overdueTurns(0, 10);
  await store.sweep.unreadTurns(10);
  await store.sweep.unstoppedCalls(0, 10);
  await store.sweep.foldEvents(0, 10);
  await store.sweep.openCompensations({ olderThanMs: 0, everyMs: 0 }, 10);
}

describePostgres('a large database', (database) => {
  const read = () =>
    database.sql<{ table: string; rows: number }>(
      `SELECT relname AS table, (seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS rows
       FROM pg_stat_user_tables WHERE schemaname = 'turnkeeper' ORDER BY 1`,
    );

  beforeAll(async () => {
    if (hasPart('postgres')) await database.sql(FILL);
  });

  const connections = async () => {
    const rows = await database.sql(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'turnkeeper'`,
    );
    return rows.length;
  };

  test('is not read through by any method', async () => {
    const [before, others] = [await read(), await connections()];
    const store = await openStore({ connectionString: database.url, poolSize: 3 });
    await useEverything(store);
    await store.close();
    // A connection tells what it read by when it is gone.
    await expect.poll(connections, PATIENCE).toBeLessThanOrEqual(others);
    const after = (await read()).map(({ table, rows }, n) => ({
      table,
      rows: rows - (before[n]?.rows ?? 0),
    }));
    expect(after.find(({ table }) => table === 'turns')?.rows).toBeGreaterThan(0);
    expect(after.filter(({ rows }) => rows > FEW)).toEqual([]);
  });
});
