import type { CompensationStore } from '../contracts/store.ts';
import type { Database } from './database.ts';

const absent = () => Promise.reject(new Error('not there yet'));

export function compensationStore(_db: Database): CompensationStore {
  return { effects: absent, begin: absent, loadEffect: absent, settle: absent, close: absent };
}
