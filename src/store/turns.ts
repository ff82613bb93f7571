import type { TurnStore } from '../contracts/store.ts';
import { acceptTurn } from './accept.ts';
import { tryAgain } from './again.ts';
import { editTurn } from './branches.ts';
import { findConversation } from './conversations.ts';
import type { Database, Queryable } from './database.ts';
import { readSteps } from './ledger.ts';
import { readPage } from './pages.ts';
import { readSources } from './passages.ts';
import { sealTurn } from './seal.ts';
import { identifyOrphan, markStopped, settleAbandoned } from './stopped-calls.ts';
import { findTurn, toTurn, type TurnRow } from './turn-rows.ts';
import { readUsage } from './usage.ts';

export function turnStore(db: Database): TurnStore {
  return {
    accept: (tenant, request) => acceptTurn(db, tenant, request),
    again: (tenant, request) => tryAgain(db, tenant, request),
    edit: (tenant, request) => editTurn(db, tenant, request),
    async markStarted(tenant, turnId) {
      await db.query(
        `UPDATE turnkeeper.turns SET state = 'started', started_at = now()
         WHERE tenant = $1 AND id = $2 AND state = 'accepted'`,
        [tenant, turnId],
      );
    },
    get: (tenant, turnId) => findTurn(db, tenant, turnId),
    async list(tenant, conversationId, page) {
      await findConversation(db, tenant, conversationId);
      return readPage(
        db,
        {
          sql: 'SELECT * FROM turnkeeper.turns WHERE tenant = $1 AND conversation_id = $2',
          params: [tenant, conversationId],
          column: 'number',
          place: (row: TurnRow) => row.number,
          map: toTurn,
        },
        page,
      );
    },
    steps: (tenant, turnId) => ofTurn(db, tenant, turnId, () => readSteps(db, turnId)),
    usage: (tenant, turnId) => ofTurn(db, tenant, turnId, () => readUsage(db, turnId)),
    sources: (tenant, turnId) => ofTurn(db, tenant, turnId, () => readSources(db, turnId)),
    settleAbandoned: (...call) => settleAbandoned(db, ...call),
    markStopped: (...call) => markStopped(db, ...call),
    identifyOrphan: (...call) => identifyOrphan(db, ...call),
    seal: (tenant, turnId, ending) => db.transaction((tx) => sealTurn(tx, tenant, turnId, ending)),
  };
}

async function ofTurn<T>(
  db: Queryable,
  tenant: string,
  turnId: string,
  read: () => Promise<T>,
): Promise<T> {
  await findTurn(db, tenant, turnId);
  return read();
}
