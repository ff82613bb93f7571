import { DEFAULT_LIMITS } from '../../conversation/limits.ts';
import type { Setting } from './setting.ts';

const MIB = 1_048_576;
const DAY_MS = 86_400_000;

/** How much, and how long. */
export const BOUNDS = {
  TURNKEEPER_MODEL_IDLE_TIMEOUT_MS: {
    default: '120000',
    unit: 'milliseconds',
    range: [100, DAY_MS],
    description: 'A model stream that sends nothing for so long is given up and tried again.',
  },
  TURNKEEPER_MAX_INPUT_BYTES: {
    default: String(DEFAULT_LIMITS.maxInputBytes),
    unit: 'bytes',
    range: [1, 64 * MIB],
    description: 'Input of one turn at most, as JSON.',
  },
  TURNKEEPER_MAX_ITEMS_PER_TURN: {
    default: String(DEFAULT_LIMITS.maxItemsPerTurn),
    range: [1, 10_000],
    description: 'Input items of one turn at most.',
  },
  TURNKEEPER_MAX_METADATA_BYTES: {
    default: String(DEFAULT_LIMITS.maxMetadataBytes),
    unit: 'bytes',
    range: [2, MIB],
    description: 'Metadata of one conversation at most, as JSON.',
  },
  TURNKEEPER_MAX_DOCUMENT_BYTES: {
    default: String(DEFAULT_LIMITS.maxDocumentBytes),
    unit: 'bytes',
    range: [1, 512 * MIB],
    description: 'One document at most.',
  },
  TURNKEEPER_MAX_QUEUED_TURNS: {
    default: String(DEFAULT_LIMITS.maxQueuedTurns),
    range: [1, 10_000],
    description: 'Turns and additions of items that wait in one conversation at most.',
  },
  TURNKEEPER_MAX_CONCURRENT_ACTIVITIES: {
    default: '100',
    range: [1, 10_000],
    description: 'Model calls, tool calls and retrievals that one worker runs at a time.',
  },
  TURNKEEPER_SWEEP_INTERVAL_MS: {
    default: '2000',
    unit: 'milliseconds',
    range: [100, DAY_MS],
    description:
      'How often a worker looks for turns that nobody started or that are past their deadline.',
  },
  TURNKEEPER_EVENT_RETENTION_MS: {
    default: String(DAY_MS),
    unit: 'milliseconds',
    range: [0, 3_650 * DAY_MS],
    description:
      'How long after the end of a turn its deltas are kept; then workers fold them into what they came to.',
  },
} as const satisfies Record<string, Setting>;
