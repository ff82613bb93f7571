import { Type } from '@sinclair/typebox';
import type { RepairRule } from '../../contracts/store.ts';
import { Count, Id, named, nullable, ref, Time, words } from './common.ts';
import { READ_MESSAGE, ResponsesItem } from './conversations.ts';

const InputMessage = Type.Object({
  ...READ_MESSAGE,
  type: Type.Optional(words('message')),
  role: words('user', 'system', 'developer'),
  content: Type.Union([Type.String(), Type.Array(ResponsesItem)]),
});

export const NewTurn = named(
  'NewTurn',
  Type.Object({
    assistantId: Id,
    assistantVersion: Type.Optional(
      Type.Integer({ minimum: 1, description: 'The newest by default.' }),
    ),
    input: Type.Union([Type.String(), Type.Array(InputMessage)]),
    onDisconnect: Type.Optional(
      Type.Union([
        words('continue'),
        Type.Object({ cancelAfterMs: Type.Integer({ minimum: 1_000, maximum: 86_400_000 }) }),
      ]),
    ),
    whenBusy: Type.Optional(words('reject', 'enqueue', 'interrupt')),
  }),
);

const finalStatus = ['completed', 'incomplete', 'failed', 'cancelled', 'expired'] as const;
const Failure = Type.Object({ reason: Type.String(), message: Type.String() });

export const Cancel = named(
  'CancelTurn',
  Type.Object({
    compensate: Type.Optional(
      Type.Boolean({ description: 'Has what its tools did undone, however it ends.' }),
    ),
  }),
);

export const Turn = named(
  'Turn',
  Type.Object({
    id: Id,
    conversationId: Id,
    assistantId: Id,
    assistantVersion: Type.Integer({ minimum: 1 }),
    state: words('queued', 'accepted', 'started', 'sealed'),
    status: words('queued', 'in_progress', 'requires_action', ...finalStatus),
    reason: nullable(Type.String()),
    message: nullable(Type.String()),
    deadline: Time,
    acceptedAt: Time,
    startedAt: nullable(Time),
    sealedAt: nullable(Time),
    compensation: Type.Union([words('requested', 'closed'), Type.Null()], {
      description: 'requested: asked for, or under way. closed: each effect has its step.',
    }),
    interrupts: nullable(Id),
    origin: nullable(Type.Object({ kind: words('retry', 'regenerate', 'edit'), turnId: Id })),
  }),
);

export const Regenerate = named(
  'RegenerateTurn',
  Type.Object({
    compensate: Type.Optional(
      Type.Boolean({ description: 'Has what the tools of the old turn did undone.' }),
    ),
  }),
);

export const Edit = named(
  'EditTurn',
  Type.Object({ input: Type.Union([Type.String(), Type.Array(InputMessage)]) }),
);

export const Step = named(
  'Step',
  Type.Object({
    key: Type.String(),
    kind: words('retrieve', 'respond', 'tool', 'compensate', 'repair'),
    status: words('open', 'completed', 'failed', 'closed'),
    attempts: Count,
    model: nullable(Type.String()),
    tool: nullable(
      Type.Object({
        callId: Type.String(),
        name: Type.String(),
        policy: nullable(words('idempotent', 'at-most-once', 'reconcilable')),
        outcome: nullable(words('succeeded', 'failed', 'unknown')),
      }),
    ),
    error: nullable(Failure),
    repairs: nullable(
      Type.Object({
        total: Count,
        listed: Type.Array(
          Type.Object({ rule: Type.Unsafe<RepairRule>(Type.String()), position: Count }),
        ),
      }),
    ),
    startedAt: Time,
    settledAt: nullable(Time),
  }),
);

const TOKENS = {
  inputTokens: Count,
  cachedTokens: Count,
  outputTokens: Count,
  reasoningTokens: Count,
};

const ModelCall = Type.Object({
  step: Type.String(),
  model: Type.String(),
  state: words('intent', 'completed', 'failed', 'abandoned'),
  estimated: Type.Boolean(),
  background: Type.Boolean(),
  responseId: nullable(Type.String()),
  requestId: nullable(Type.String()),
  ...TOKENS,
});

export const Usage = named(
  'Usage',
  Type.Object({
    ...TOKENS,
    totalTokens: Count,
    costUsd: nullable(
      Type.Number({ description: 'By OpenAI’s list prices; null for a model without one.' }),
    ),
    calls: Type.Array(ModelCall),
  }),
);

const Source = Type.Object({
  chunkId: Type.String(),
  documentId: Id,
  documentName: Type.String(),
  start: Count,
  end: Count,
  text: Type.String(),
  score: Type.Number(),
});

const Effect = Type.Object({
  callId: Type.String(),
  tool: Type.String(),
  outcome: words('done', 'unknown', 'undone', 'not_undone', 'undoing'),
  message: Type.String({ description: 'What happened and what is left to do, for the end user.' }),
});

export const TurnResult = named(
  'TurnResult',
  Type.Object({
    turn: ref(Turn),
    status: words(...finalStatus),
    reason: nullable(Type.String()),
    answer: Type.String(),
    output: Type.Array(ResponsesItem),
    sources: Type.Array(Source),
    usage: ref(Usage),
    effects: Type.Array(Effect),
  }),
);
