import type { KeyOwner } from '../contracts/store.ts';

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const KINDS: Readonly<Record<string, KeyOwner['kind']>> = {
  compensate: 'turn',
  summary: 'conversation',
  ingest: 'document',
};

/** Whose key encrypts a workflow's history; null for a workflow that is none of ours. */
export function ownerOf(workflowId: string): KeyOwner | null {
  const [prefix = '', rest] = workflowId.split(/:(.*)/s);
  const kind = rest === undefined ? 'turn' : KINDS[prefix];
  const id = rest ?? prefix;
  return kind !== undefined && UUID.test(id) ? { kind, id } : null;
}
