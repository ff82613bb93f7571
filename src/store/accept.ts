import { TURN_LIMIT_DEFAULTS } from '../contracts/assistant.ts';
import type { Accepted, AcceptTurn, Assistant, Turn } from '../contracts/store.ts';
import type { TurnInput } from '../contracts/turn.ts';
import { findAssistant } from './assistants.ts';
import { Busy, lockConversation, unlessBusy } from './conversation-lock.ts';
import type { Database, Queryable } from './database.ts';
import { interrupt } from './interrupt.ts';
import { claimKey, resourceId } from './keys.ts';
import { enqueueTurn, requireRoom } from './queue.ts';
import { startedEvent } from './turn-events.ts';
import { findTurnWithInput, toTurn, turnNotFound, type TurnRow } from './turn-rows.ts';

/** Idempotency key, conversation lock, turn row and user items in one transaction, or nothing. */
export function acceptTurn(db: Database, tenant: string, request: AcceptTurn): Promise<Accepted> {
  return unlessBusy(db, tenant, (tx) => accept(tx, tenant, request));
}

async function accept(tx: Queryable, tenant: string, request: AcceptTurn): Promise<Accepted> {
  const scope = `turns:${request.conversationId}`;
  const turnId = resourceId(tenant, scope, request.key);
  // Before the lock check, so that busy rolls the key back.
  if (!(await claimKey(tx, { tenant, scope, key: request.key, id: turnId }))) {
    return { kind: 'repeated', ...(await findTurnWithInput(tx, tenant, turnId)) };
  }
  const [{ activeTurn, nowMs }, assistant] = await Promise.all([
    lockConversation(tx, tenant, request.conversationId),
    findAssistant(tx, tenant, request.assistantId, request.assistantVersion),
  ]);
  const input = turnInput(tenant, turnId, request.conversationId, assistant, nowMs);
  const turn =
    activeTurn === null
      ? await insertTurn(tx, input, request)
      : await insertBehind(tx, activeTurn, input, request, nowMs);
  return { kind: 'accepted', turn, input };
}

/** The turn waits, where it may. */
async function insertBehind(
  tx: Queryable,
  activeTurn: string,
  input: TurnInput,
  request: AcceptTurn,
  nowMs: number,
): Promise<Turn> {
  const { conversationId, whenBusy } = request;
  if (!whenBusy) throw new Busy(activeTurn, { full: false });
  const interrupting = whenBusy.policy === 'interrupt';
  if (interrupting)
    await interrupt(tx, input.tenant, { conversationId, activeTurn, by: input.turnId });
  else await requireRoom(tx, { conversationId, activeTurn }, whenBusy.maxQueued);
  const interrupts = interrupting ? activeTurn : null;
  return enqueueTurn(tx, input, request, { timeoutMs: input.deadlineMs - nowMs, interrupts });
}

export function turnInput(
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

/** The turn, its hold on the conversation, its items and its first event. */
export async function insertTurn(
  tx: Queryable,
  input: TurnInput,
  { items, cancelAfterMs }: Pick<AcceptTurn, 'items' | 'cancelAfterMs'>,
): Promise<Turn> {
  const { turnId, conversationId, assistant } = input;
  const [row] = await tx.query<TurnRow>(
    `WITH turn AS (
       INSERT INTO turnkeeper.turns (id, tenant, conversation_id, assistant_id, assistant_version, state, status,
         workflow_input, deadline, accepted_at, cancel_after_ms)
       VALUES ($1, $2, $3, $4, $5, 'accepted', 'in_progress', $6, to_timestamp($7::double precision / 1000), now(), $11)
       RETURNING *
     ), conversation AS (
       UPDATE turnkeeper.conversations
       SET active_turn = $1, next_position = next_position + cardinality($8::text[]) WHERE id = $3
       RETURNING id, next_position - cardinality($8::text[]) AS first
     ), items AS (
       INSERT INTO turnkeeper.items (conversation_id, position, turn_id, type, item)
       SELECT c.id, c.first + i.n - 1, $1, i.type, i.item
       FROM conversation c, unnest($8::text[], $9::json[]) WITH ORDINALITY AS i (type, item, n)
     ), sequence AS (
       INSERT INTO turnkeeper.event_sequences (turn_id, next_seq) VALUES ($1, 2)
     ), event AS (
       INSERT INTO turnkeeper.events (turn_id, seq, event) VALUES ($1, 1, $10)
     )
     SELECT * FROM turn`,
    [
      turnId,
      input.tenant,
      conversationId,
      assistant.id,
      assistant.version,
      JSON.stringify(input),
      input.deadlineMs,
      items.map((item) => item.type),
      items.map((item) => JSON.stringify(item)),
      JSON.stringify(startedEvent(input)),
      cancelAfterMs ?? null,
    ],
  );
  if (!row) throw turnNotFound(turnId);
  return toTurn(row);
}
