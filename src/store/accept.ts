import { TURN_LIMIT_DEFAULTS } from '../contracts/assistant.ts';
import type { Item } from '../contracts/json.ts';
import type { Accepted, AcceptTurn, Assistant } from '../contracts/store.ts';
import type { TurnInput } from '../contracts/turn.ts';
import { findAssistant } from './assistants.ts';
import { conversationNotFound } from './conversations.ts';
import type { Database, Queryable } from './database.ts';
import { claimKey, resourceId } from './keys.ts';
import { findTurn, findTurnWithInput } from './turn-rows.ts';

/** Carries the holder out of the transaction that it rolls back, the key included. */
class Busy extends Error {
  readonly activeTurn: string;
  constructor(activeTurn: string) {
    super('busy');
    this.activeTurn = activeTurn;
  }
}

/** Idempotency key, conversation lock, turn row and user items in one transaction, or nothing. */
export async function acceptTurn(
  db: Database,
  tenant: string,
  request: AcceptTurn,
): Promise<Accepted> {
  try {
    return await db.transaction((tx) => accept(tx, tenant, request));
  } catch (error) {
    if (!(error instanceof Busy)) throw error;
    const { turn, input } = await findTurnWithInput(db, tenant, error.activeTurn);
    return { kind: 'busy', active: turn, activeInput: input };
  }
}

async function accept(tx: Queryable, tenant: string, request: AcceptTurn): Promise<Accepted> {
  const scope = `turns:${request.conversationId}`;
  const turnId = resourceId(tenant, scope, request.key);
  // Before the lock check, so that busy rolls the key back.
  if (!(await claimKey(tx, { tenant, scope, key: request.key, id: turnId }))) {
    return { kind: 'repeated', ...(await findTurnWithInput(tx, tenant, turnId)) };
  }
  const conversation = await lockConversation(tx, tenant, request);
  const assistant = await findAssistant(tx, tenant, request.assistantId, request.assistantVersion);
  const input = turnInput(tenant, turnId, request.conversationId, assistant, conversation.now_ms);
  await insertTurn(tx, input);
  await insertItems(tx, input, conversation.next_position, request.items);
  await insertStartedEvent(tx, input);
  return { kind: 'accepted', turn: await findTurn(tx, tenant, turnId), input };
}

interface LockedConversation {
  active_turn: string | null;
  next_position: number;
  now_ms: number;
}

async function lockConversation(
  tx: Queryable,
  tenant: string,
  { conversationId }: AcceptTurn,
): Promise<LockedConversation> {
  const [row] = await tx.query<LockedConversation>(
    `SELECT active_turn, next_position, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
     FROM turnkeeper.conversations WHERE tenant = $1 AND id = $2 FOR NO KEY UPDATE`,
    [tenant, conversationId],
  );
  if (!row) throw conversationNotFound(conversationId);
  if (row.active_turn) throw new Busy(row.active_turn);
  return row;
}

function turnInput(
  tenant: string,
  turnId: string,
  conversationId: string,
  { id, version, definition }: Assistant,
  nowMs: number,
): TurnInput {
  const limits = definition.limits ?? {};
  return {
    tenant,
    turnId,
    conversationId,
    assistant: { id, version, name: definition.name },
    deadlineMs: nowMs + (limits.turnTimeoutMs ?? TURN_LIMIT_DEFAULTS.turnTimeoutMs),
    retrieve: (definition.knowledge?.bases.length ?? 0) > 0,
    models: [definition.model, ...(definition.fallbackModel ? [definition.fallbackModel] : [])],
    fallbackAnswer: definition.fallbackAnswer !== undefined,
    maxRounds: limits.maxRounds ?? TURN_LIMIT_DEFAULTS.maxRounds,
  };
}

async function insertTurn(tx: Queryable, input: TurnInput): Promise<void> {
  await tx.query(
    `INSERT INTO turnkeeper.turns (id, tenant, conversation_id, assistant_id, assistant_version, state, status,
       workflow_input, deadline, accepted_at)
     VALUES ($1, $2, $3, $4, $5, 'accepted', 'in_progress', $6, to_timestamp($7::double precision / 1000), now())`,
    [
      input.turnId,
      input.tenant,
      input.conversationId,
      input.assistant.id,
      input.assistant.version,
      JSON.stringify(input),
      input.deadlineMs,
    ],
  );
}

async function insertItems(
  tx: Queryable,
  input: TurnInput,
  first: number,
  items: Item[],
): Promise<void> {
  await tx.query(
    `INSERT INTO turnkeeper.items (conversation_id, position, turn_id, type, item)
     SELECT $1, $2::bigint + i.n - 1, $3, i.type, i.item
     FROM unnest($4::text[], $5::json[]) WITH ORDINALITY AS i (type, item, n)`,
    [
      input.conversationId,
      first,
      input.turnId,
      items.map((item) => item.type),
      items.map((item) => JSON.stringify(item)),
    ],
  );
  await tx.query(
    'UPDATE turnkeeper.conversations SET active_turn = $2, next_position = next_position + $3 WHERE id = $1',
    [input.conversationId, input.turnId, items.length],
  );
}

async function insertStartedEvent(tx: Queryable, input: TurnInput): Promise<void> {
  const { turnId, conversationId, assistant } = input;
  const event = {
    type: 'turn.started',
    turn_id: turnId,
    conversation_id: conversationId,
    assistant_id: assistant.id,
    assistant_version: assistant.version,
  };
  await tx.query('INSERT INTO turnkeeper.event_sequences (turn_id, next_seq) VALUES ($1, 2)', [
    turnId,
  ]);
  await tx.query('INSERT INTO turnkeeper.events (turn_id, seq, event) VALUES ($1, 1, $2)', [
    turnId,
    JSON.stringify(event),
  ]);
}
