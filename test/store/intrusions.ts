import type { StepRef, Store, Submission } from '../../src/contracts/store.ts';
import {
  CLERK,
  QUESTION,
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
  newPlace,
  newTurn,
  refusal,
  response,
  toolResult,
  toolStep,
  usageOf,
  type TurnAt,
} from './fixtures.ts';

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
export async function victimOf(store: Store, intruder: string): Promise<Victim> {
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

export type Attempt = (store: Store, me: string, it: Victim) => Promise<unknown>;

/** Every method that takes an id, called by another tenant, by how it must answer. */
export const REFUSED: [unknown, Record<string, Attempt>][] = [
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
      'conversations.delete': (s, me, it) => s.conversations.delete(me, it.conversationId),
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
export const UNHEARD: [(it: Victim) => unknown, Record<string, Attempt>][] = [
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
