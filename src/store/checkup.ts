import {
  EVENTS_OF_AN_EPOCH,
  RESTORED,
  type Checkup,
  type Freed,
  type TurnRef,
  type TurnState,
} from '../contracts/store.ts';
import { lockConversation } from './conversation-lock.ts';
import type { Database, Queryable } from './database.ts';
import { dispatch, release, type EndedTurn } from './dispatch.ts';
import { overlooked } from './overlooked.ts';
import { closeActions } from './require-actions.ts';
import { closeOpenSteps, lockOpenSteps, sealTurn } from './seal.ts';
import { NOT_DELETED } from './turn-rows.ts';
import { lockConversationOf } from './undo.ts';

/** Over all tenants. */
export function checkupStore(db: Database): Checkup {
  return {
    async answers() {
      await db.query('SELECT 1');
    },
    startedTurns: ({ olderThanMs, everyMs }, limit) =>
      db.query(
        `UPDATE turnkeeper.turns SET holder_checked_at = now() WHERE id = ANY (ARRAY(
           SELECT id FROM turnkeeper.turns
           WHERE state = 'started' AND started_at < now() - $1 * interval '1 millisecond'
             AND (holder_checked_at < now() - $2 * interval '1 millisecond' OR holder_checked_at IS NULL)
           ORDER BY holder_checked_at NULLS FIRST, number LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED))
         RETURNING tenant, id AS "turnId"`,
        [olderThanMs, everyMs, limit],
      ),
    async newestStarted(limit) {
      const rows = await db.query<{ id: string }>(
        `SELECT id FROM turnkeeper.turns WHERE started_at IS NOT NULL ORDER BY number DESC LIMIT $1`,
        [limit],
      );
      return rows.map(({ id }) => id);
    },
    turnsIn: (states, after, limit) =>
      db.query(
        `SELECT tenant, id AS "turnId", number FROM turnkeeper.turns t
         WHERE state IN (${states.map(literal).join(', ')}) AND number > $1 AND ${NOT_DELETED}
         ORDER BY number LIMIT $2`,
        [after, limit],
      ),
    statesOf: (turnIds) =>
      db.query(
        `SELECT tenant, id AS "turnId", state,
           (extract(epoch FROM now() - sealed_at) * 1000)::float8 AS "sealedForMs"
         FROM turnkeeper.turns WHERE id = ANY ($1)`,
        [turnIds],
      ),
    waitingInVain: (limit) =>
      db.query(
        `SELECT c.tenant, c.id AS "conversationId" FROM turnkeeper.conversations c
         WHERE c.id = ANY (ARRAY(SELECT DISTINCT conversation_id FROM turnkeeper.queue))
           AND c.deleted_at IS NULL AND NOT ${HELD}
         ORDER BY c.number LIMIT $1`,
        [limit],
      ),
    heldByNobody: (limit) =>
      db.query(
        `SELECT c.tenant, c.id AS "conversationId" FROM turnkeeper.conversations c
         WHERE c.deleted_at IS NULL AND NOT ${HELD} AND (c.active_turn IS NOT NULL
           OR EXISTS (SELECT 1 FROM turnkeeper.queue q WHERE q.conversation_id = c.id)
           OR c.id IN (SELECT conversation_id FROM turnkeeper.turns WHERE ${OPEN}))
         ORDER BY c.number LIMIT $1`,
        [limit],
      ),
    free: (tenant, conversationId) => db.transaction((tx) => free(tx, tenant, conversationId)),
    leftOpen: (limit) =>
      db.query<TurnRef>(
        `SELECT t.tenant, t.id AS "turnId" FROM turnkeeper.turns t
         WHERE t.state = 'sealed' AND t.id IN (${LEFT_OPEN}) AND ${NOT_DELETED} ORDER BY t.number LIMIT $1`,
        [limit],
      ),
    closeLeftOpen: (tenant, turnId) => db.transaction((tx) => closeLeftOpen(tx, tenant, turnId)),
    overlooked: (olderThanMs) => overlooked(db, olderThanMs),
    sealRestored: (tenant, turnId) => db.transaction((tx) => sealRestored(tx, tenant, turnId)),
  };
}

/** Written out: what is open has indexes of its own, and no parameter shows that they will do. */
const literal = (state: TurnState) => `'${state}'`;

const OPEN = `state IN ('accepted', 'started')`;

/** Of conversations `c`: a turn of theirs holds it that has begun and not ended. */
const HELD = `EXISTS (SELECT 1 FROM turnkeeper.turns h
  WHERE h.id = c.active_turn AND h.conversation_id = c.id AND h.${OPEN})`;

/** Steps of a compensation are begun behind the end of their turn. */
const LEFT_OPEN = `SELECT s.turn_id FROM turnkeeper.steps s JOIN turnkeeper.turns o ON o.id = s.turn_id
    WHERE s.status = 'open' AND (s.kind <> 'compensate' OR o.compensation IS DISTINCT FROM 'requested')
  UNION ALL SELECT turn_id FROM turnkeeper.actions WHERE state = 'pending'`;

/** Asked under the lock: whoever seals a turn hands its conversation over in the same transaction. */
async function free(tx: Queryable, tenant: string, conversationId: string): Promise<Freed> {
  const { activeTurn } = await lockConversation(tx, tenant, conversationId);
  const open = await openTurn(tx, conversationId, activeTurn);
  if (open !== null && open === activeTurn) return { freed: false, next: null };
  if (open !== null) {
    await giveBack(tx, conversationId, open);
    return { freed: true, next: null };
  }
  const awaited = await release(tx, conversationId);
  if (!awaited) return { freed: activeTurn !== null, next: null };
  const { next, late } = await dispatch(tx, conversationId, await endedTurn(tx, activeTurn));
  for (const id of late) await sealTurn(tx, tenant, id, { status: 'expired' });
  return { freed: true, next };
}

/** The turn that is under way in the conversation: its holder, if that is. */
async function openTurn(
  tx: Queryable,
  conversationId: string,
  activeTurn: string | null,
): Promise<string | null> {
  const [turn] = await tx.query<{ id: string }>(
    `SELECT id FROM turnkeeper.turns WHERE conversation_id = $1 AND ${OPEN}
     ORDER BY id IS NOT DISTINCT FROM $2 DESC, number LIMIT 1`,
    [conversationId, activeTurn],
  );
  return turn?.id ?? null;
}

async function giveBack(tx: Queryable, conversationId: string, turnId: string): Promise<void> {
  await tx.query('UPDATE turnkeeper.conversations SET active_turn = $2 WHERE id = $1', [
    conversationId,
    turnId,
  ]);
}

/** Null for a holder that has not ended: it waits. */
async function endedTurn(tx: Queryable, activeTurn: string | null): Promise<EndedTurn | null> {
  const [turn] = await tx.query<EndedTurn>(
    `SELECT id AS "turnId", reason FROM turnkeeper.turns WHERE id = $1 AND state = 'sealed'`,
    [activeTurn],
  );
  return turn ?? null;
}

async function closeLeftOpen(tx: Queryable, tenant: string, turnId: string): Promise<void> {
  const turn = await lockTurn(tx, tenant, turnId);
  if (turn?.state !== 'sealed') return;
  await closeActions(tx, turnId);
  if (turn.compensation !== 'requested') await closeOpenSteps(tx, turnId);
}

async function sealRestored(tx: Queryable, tenant: string, turnId: string): Promise<boolean> {
  const turn = await lockTurn(tx, tenant, turnId);
  if (!turn || turn.state === 'sealed') return false;
  // Before the row that its events are numbered by, as everywhere.
  await lockOpenSteps(tx, turnId);
  await tx.query(
    'UPDATE turnkeeper.event_sequences SET next_seq = next_seq + $2 WHERE turn_id = $1',
    [turnId, EVENTS_OF_AN_EPOCH],
  );
  const message =
    'The database was restored from a backup that was made while this turn was under way.';
  await sealTurn(tx, tenant, turnId, { status: 'failed', reason: RESTORED, message });
  return true;
}

interface LockedTurn {
  state: string;
  compensation: string | null;
}

async function lockTurn(
  tx: Queryable,
  tenant: string,
  turnId: string,
): Promise<LockedTurn | undefined> {
  await lockConversationOf(tx, tenant, turnId);
  const [turn] = await tx.query<LockedTurn>(
    `SELECT state, compensation FROM turnkeeper.turns t
     WHERE tenant = $1 AND id = $2 AND ${NOT_DELETED} FOR NO KEY UPDATE`,
    [tenant, turnId],
  );
  return turn;
}
