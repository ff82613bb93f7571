import { expect, test } from 'vitest';
import type { StepRef, Store, Submission } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  CLERK,
  QUESTION,
  RESPOND,
  appendOne,
  answer,
  attemptOf,
  beginCompensation,
  beginRespond,
  beginTool,
  callItem,
  compensateStep,
  delta,
  failAfter,
  failure,
  freshTenant,
  keyOf,
  newPlace,
  newTurn,
  refusal,
  response,
  toolResult,
  toolStep,
  usageOf,
  type TurnAt,
} from '../fixtures.ts';
import { ROWS_OF_TENANT, rowsOf } from '../inspect.ts';

interface Victim extends TurnAt {
  documentId: string;
  fileId: string;
  modelCall: string;
  /** Their steps, as the intruder names them. */
  respond: StepRef;
  tool: StepRef;
  /** Of another turn, which failed. */
  compensation: StepRef;
}

/** A tenant with one of everything: a call settled, a tool and a model call under way. */
async function victimOf(store: Store, intruder: string): Promise<Victim> {
  const turn = await newTurn(store, undefined, { cancelAfterMs: 1_000 });
  const { tenant } = turn;
  const ref = attemptOf(turn);
  await beginRespond(store, ref);
  const waiting = { actions: [ACTION], timeoutMs: 60_000 };
  await store.steps.settleResponse(
    ref,
    response([callItem('a'), callItem('w')], { summarize: 1, waiting }),
  );
  await beginTool(store, toolStep(turn, 'a'), 'a');
  const next = attemptOf(turn, 'respond:2');
  await beginRespond(store, next);
  const { callId } = await store.steps.recordIntent(next, { model: 'small', inputTokens: 1 });
  await appendOne(store, next, 0, 'secret');
  const content = Buffer.from('secret');
  const document = await store.documents.create(tenant, {
    base: 'b',
    name: 'n',
    mediaType: 'text/plain',
    content,
  });
  const { turnId } = turn;
  const secret = { turnId, name: 'n', mediaType: 'text/plain', content, key: 'k' };
  const [file] = await store.files.create(tenant, [secret]);
  const failed = await failAfter(store, await newTurn(store, await newPlace(store, tenant)), ['b']);
  await beginCompensation(store, compensateStep(failed, 'b'));
  return {
    ...turn,
    documentId: document.id,
    fileId: file?.id ?? '',
    modelCall: callId,
    respond: { ...next, tenant: intruder },
    tool: { ...toolStep(turn, 'a'), tenant: intruder },
    compensation: { ...compensateStep(failed, 'b'), tenant: intruder },
  };
}

type Attempt = (store: Store, me: string, it: Victim) => Promise<unknown>;

/** Every method that takes an id, called by another tenant, by how it must answer. */
const REFUSED: [unknown, Record<string, Attempt>][] = [
  [
    failure('assistant_not_found'),
    {
      'assistants.get': (s, me, it) => s.assistants.get(me, it.assistantId),
      'assistants.get of a version': (s, me, it) => s.assistants.get(me, it.assistantId, 1),
      'assistants.update': (s, me, it) => s.assistants.update(me, it.assistantId, CLERK),
    },
  ],
  [
    failure('conversation_not_found'),
    {
      'conversations.get': (s, me, it) => s.conversations.get(me, it.conversationId),
      'conversations.items': (s, me, it) => s.conversations.items(me, it.conversationId, {}, {}),
      'conversations.addItems': (s, me, it) =>
        s.conversations.addItems(me, it.conversationId, { items: [QUESTION], maxQueued: 20 }),
      'turns.list': (s, me, it) => s.turns.list(me, it.conversationId, {}),
    },
  ],
  [
    failure('turn_not_found'),
    {
      'turns.get': (s, me, it) => s.turns.get(me, it.turnId),
      'turns.steps': (s, me, it) => s.turns.steps(me, it.turnId),
      'turns.usage': (s, me, it) => s.turns.usage(me, it.turnId),
      'turns.sources': (s, me, it) => s.turns.sources(me, it.turnId),
      'turns.again': (s, me, { turnId }) => s.turns.again(me, { turnId, kind: 'retry' }),
      'turns.edit': (s, me, { turnId }) => s.turns.edit(me, { turnId, items: [QUESTION] }),
      'turns.seal': (s, me, it) => s.turns.seal(me, it.turnId, { status: 'cancelled' }),
      'compensations.request': (s, me, it) => s.compensations.request(me, it.turnId),
      'compensations.outcomes': (s, me, it) => s.compensations.outcomes(me, it.turnId),
      'actions.list': (s, me, it) => s.actions.list(me, it.turnId),
      'actions.submit': (s, me, it) => s.actions.submit(me, it.turnId, FORGED_SUBMISSION),
      'events.read': (s, me, it) => s.events.read(me, it.turnId, { after: 0, limit: 9 }),
      'files.list of the turn': (s, me, it) => s.files.list(me, { turnId: it.turnId }, {}),
      'files.create': (s, me, { turnId }) => s.files.create(me, [{ ...FORGED_FILE, turnId }]),
    },
  ],
  [
    failure('document_not_found'),
    {
      'documents.get': (s, me, it) => s.documents.get(me, it.documentId),
      'documents.read': (s, me, it) => s.documents.read(me, it.documentId),
    },
  ],
  [
    failure('file_not_found'),
    {
      'files.get': (s, me, it) => s.files.get(me, it.fileId),
      'files.read': (s, me, it) => s.files.read(me, it.fileId),
    },
  ],
  [
    refusal('turn_not_found'),
    {
      'steps.begin': (s, _, it) => beginRespond(s, { ...it.respond, step: 'respond:3' }),
      'steps.begin to take over': (s, _, it) => beginRespond(s, { ...it.respond, fence: LATER }),
      'steps.loadContext': (s, _, it) => s.steps.loadContext(it.respond),
      'actions.read': (s, me, it) => s.actions.read(me, it.turnId, ['w']),
      'compensations.effects': (s, me, it) => s.compensations.effects(me, it.compensation.turnId),
      'compensations.begin': (s, _, it) =>
        beginCompensation(s, { ...it.compensation, fence: LATER }),
      'compensations.close': (s, me, it) => s.compensations.close(me, it.compensation.turnId),
      'compensations.abandon': (s, me, it) =>
        s.compensations.abandon(me, it.compensation.turnId, ERROR),
    },
  ],
  [
    refusal('store_rolled_back'),
    {
      'steps.claim': (s, _, it) => beginTool(s, it.tool, 'a'),
      'steps.recordRepairs': (s, _, it) => s.steps.recordRepairs(it.respond, []),
      'steps.recordIntent': (s, _, it) => s.steps.recordIntent(it.respond, INTENT),
      'steps.recordFailedCall': (s, _, it) =>
        s.steps.recordFailedCall(it.respond, it.modelCall, {
          requestId: null,
          error: '',
          refused: true,
        }),
      'steps.settleRetrieval': (s, _, it) => s.steps.settleRetrieval(it.respond, []),
      'steps.settleResponse': (s, _, it) => {
        const usage = usageOf(it.modelCall, 1, 1);
        const forged = response([answer('forged')], { events: [delta('forged')], usage });
        return s.steps.settleResponse(it.respond, forged);
      },
      'steps.settleTool': (s, _, it) => s.steps.settleTool(it.tool, toolResult('a', 'forged')),
      'steps.settleFailure': (s, _, it) => s.steps.settleFailure(it.respond, ERROR),
      'compensations.loadEffect': (s, _, it) => s.compensations.loadEffect(it.compensation, 'b'),
      'compensations.settle': (s, _, it) => s.compensations.settle(it.compensation, null),
    },
  ],
];

/** Methods that answer another tenant as if there was nothing. */
const UNHEARD: [(it: Victim) => unknown, Record<string, Attempt>][] = [
  [
    () => undefined,
    {
      'events.attend': (s, me, it) => s.events.attend(me, it.turnId),
      'events.leave': (s, me, it) => s.events.leave(me, it.turnId),
      'turns.markStarted': (s, me, it) => s.turns.markStarted(me, it.turnId),
      'turns.settleAbandoned': (s, me, it) =>
        s.turns.settleAbandoned(me, it.turnId, it.modelCall, usageOf(it.modelCall, 1, 1).call),
      'turns.markStopped': (s, me, it) => s.turns.markStopped(me, it.turnId, it.modelCall),
      'documents.markIndexed': (s, me, it) => s.documents.markIndexed(me, it.documentId, 1),
      'documents.markFailed': (s, me, it) => s.documents.markFailed(me, it.documentId, ERROR),
    },
  ],
  [
    () => null,
    {
      'actions.parametersOf': (s, me, it) => s.actions.parametersOf(me, it.turnId, 'w'),
      'events.appended': (s, _, it) => s.events.appended(it.respond),
      'summaries.work': (s, me, it) => s.summaries.work(me, it.conversationId),
      'summaries.extend': (s, me, it) =>
        s.summaries.extend(me, it.conversationId, { after: 0, summary: FORGED_SUMMARY }),
    },
  ],
  [
    () => false,
    {
      'turns.identifyOrphan': (s, _, it) =>
        s.turns.identifyOrphan(it.respond, it.modelCall, 'resp_forged'),
      'events.watch': async (s, me, it) => {
        const watch = s.events.watch(me, it.turnId);
        await s.events.append([
          { ref: { ...it.respond, tenant: it.tenant }, position: 99, events: [] },
        ]);
        return watch.next(0);
      },
    },
  ],
  [(it) => [it.respond], { 'events.append': (s, _, it) => appendOne(s, it.respond, 1, 'forged') }],
  [
    () => [],
    {
      'assistants.list': async (s, me) => (await s.assistants.list(me, {})).data,
      'conversations.list': async (s, me) => (await s.conversations.list(me, {}, {})).data,
      'documents.list': async (s, me) => (await s.documents.list(me, {}, {})).data,
      'files.list': async (s, me) => (await s.files.list(me, {}, {})).data,
    },
  ],
];

const ACTION = { callId: 'w', name: 'lookup', kind: 'outputs', arguments: {} } as const;
const FORGED_SUBMISSION: Submission = {
  decisions: [{ callId: 'w', hash: 'forged', state: 'answered', output: 'forged' }],
  partial: true,
};
const LATER = { scheduledMs: 9_999, attempt: 9 };
const INTENT = { model: 'small', inputTokens: 1 };
const FORGED_FILE = {
  name: 'n',
  mediaType: 'text/plain',
  content: Buffer.from('forged'),
  key: 'k',
};
const FORGED_SUMMARY = { text: 'forged', through: 1 };
const ERROR = { reason: 'forged', message: 'forged' };

export function tenants(database: TestDatabase): void {
  test('is refused by every method, with nothing told and nothing written', async () => {
    const intruder = freshTenant();
    const it = await victimOf(database.store, intruder);
    const before = await rowsOf(database, it.tenant);
    const outcomeOf = (attempt: Attempt) =>
      attempt(database.store, intruder, it).catch((error: unknown) => error);
    for (const [error, attempts] of REFUSED) {
      for (const [name, attempt] of Object.entries(attempts)) {
        expect(await outcomeOf(attempt), name).toEqual(error);
      }
    }
    for (const [nothing, attempts] of UNHEARD) {
      for (const [name, attempt] of Object.entries(attempts)) {
        expect(await outcomeOf(attempt), name).toEqual(nothing(it));
      }
    }
    expect(await rowsOf(database, it.tenant)).toEqual(before);
    const nothing = Object.fromEntries(Object.keys(ROWS_OF_TENANT).map((table) => [table, []]));
    expect(await rowsOf(database, intruder)).toEqual(nothing);
  });

  test('cannot start a turn in the conversation or with the assistant', async () => {
    const { turns } = database.store;
    const mine = await newPlace(database.store);
    const theirs = await newPlace(database.store);
    const before = [await rowsOf(database, mine.tenant), await rowsOf(database, theirs.tenant)];
    const accept = (place: { conversationId: string; assistantId: string }) =>
      turns.accept(mine.tenant, { ...place, items: [QUESTION], key: keyOf('k') });
    await expect(accept({ ...mine, conversationId: theirs.conversationId })).rejects.toEqual(
      failure('conversation_not_found'),
    );
    await expect(accept({ ...mine, assistantId: theirs.assistantId })).rejects.toEqual(
      failure('assistant_not_found'),
    );
    const after = [await rowsOf(database, mine.tenant), await rowsOf(database, theirs.tenant)];
    expect(after).toEqual(before);
  });

  test('does not see items of the turn through a conversation of its own', async () => {
    const { store } = database;
    const { turnId } = await newTurn(store);
    const { tenant, conversationId } = await newTurn(store);
    const items = store.conversations.items(tenant, conversationId, { turnId }, {});
    await expect(items).rejects.toEqual(failure('turn_not_found'));
  });

  test('takes nothing with it in a batch for many turns', async () => {
    const { store } = database;
    const [mine, theirs] = [await newTurn(store), await newTurn(store)];
    for (const turn of [mine, theirs]) await beginRespond(store, attemptOf(turn));
    const forged = { ...attemptOf(theirs, RESPOND), tenant: mine.tenant };
    const batches = [attemptOf(mine), forged].map((ref) => ({
      ref,
      position: 0,
      events: [delta('x')],
    }));
    expect(await store.events.append(batches)).toEqual([forged]);
    expect(await store.events.appended(attemptOf(mine))).toBe(1);
    expect(await store.events.appended(attemptOf(theirs))).toBe(0);
  });

  test('is tried with every method that there is', () => {
    const { store } = database;
    const { assistants, conversations, turns, steps, events, documents } = store;
    const { actions, files, compensations, summaries } = store;
    const ofTurns = { turns, steps, actions, events, files, compensations };
    const parts = { assistants, conversations, documents, summaries, ...ofTurns };
    const methods = Object.entries(parts).flatMap(([part, of]) =>
      Object.keys(of).map((method) => `${part}.${method}`),
    );
    const attempts = [...REFUSED, ...UNHEARD].flatMap(([, named]) => Object.keys(named));
    const tried = new Set(attempts.map((name) => name.split(' ')[0]));
    const making = ['assistants', 'conversations', 'documents'].map((part) => `${part}.create`);
    expect(methods.filter((name) => !tried.has(name))).toEqual(
      expect.arrayContaining([...making, 'turns.accept']),
    );
    expect(methods.length - tried.size).toBe(making.length + 1);
  });

  test('is looked for in every table that there is', async () => {
    const tables = await database.sql<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables
       WHERE table_schema = 'turnkeeper' AND table_name <> 'schema_migrations' ORDER BY 1`,
    );
    expect(tables.map(({ name }) => name)).toEqual(Object.keys(ROWS_OF_TENANT).sort());
  });
}
