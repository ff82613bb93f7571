import { spine } from './0001-spine.ts';
import { effects } from './0002-effects.ts';
import { summaries } from './0003-summaries.ts';
import { files } from './0004-files.ts';
import { compensationChecks } from './0005-compensation-checks.ts';
import { documentChecks } from './0006-document-checks.ts';
import { backgroundCalls } from './0007-background-calls.ts';
import { streams } from './0008-streams.ts';
import { stoppedCalls } from './0009-stopped-calls.ts';
import { undo } from './0010-undo.ts';
import { actions } from './0011-actions.ts';
import { queue } from './0012-queue.ts';
import { branches } from './0013-branches.ts';
import { keys } from './0014-keys.ts';
import { indexes } from './0015-indexes.ts';
import type { Migration } from './migration.ts';

/** In order; a landed one is never edited. */
export const MIGRATIONS: readonly Migration[] = [
  { id: 1, name: 'spine', sql: spine },
  { id: 2, name: 'effects', sql: effects },
  { id: 3, name: 'summaries', sql: summaries },
  { id: 4, name: 'files', sql: files },
  { id: 5, name: 'compensation-checks', sql: compensationChecks },
  { id: 6, name: 'document-checks', sql: documentChecks },
  { id: 7, name: 'background-calls', sql: backgroundCalls },
  { id: 8, name: 'streams', sql: streams },
  { id: 9, name: 'stopped-calls', sql: stoppedCalls },
  { id: 10, name: 'undo', sql: undo },
  { id: 11, name: 'actions', sql: actions },
  { id: 12, name: 'queue', sql: queue },
  { id: 13, name: 'branches', sql: branches },
  { id: 14, name: 'keys', sql: keys },
  { id: 15, name: 'indexes', indexes },
];
