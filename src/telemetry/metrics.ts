import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import { RECONCILED } from '../contracts/reconciled.ts';
import type { StepRefused } from '../contracts/store.ts';
import type { FinalStatus } from '../contracts/turn.ts';

/** Everything that one worker counts, in a registry of its own. docs/metrics.md has a row for each. */
export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = {
    registry,
    ...turnMetrics(registry),
    ...modelMetrics(registry),
    ...workMetrics(registry),
    ...recoveryMetrics(registry),
  };
  startAtZero(metrics);
  return metrics;
}

const STATUSES: FinalStatus[] = ['completed', 'incomplete', 'failed', 'cancelled', 'expired'];
const REFUSALS: StepRefused['reason'][] = [
  'turn_sealed',
  'turn_not_found',
  'store_rolled_back',
  'step_fenced',
];

/** A series that begins with 1 has no increase that an alert could see. */
function startAtZero({
  turnDuration,
  fenceRefusals,
  fallbacks,
  compensations,
  reconciled,
  actionsRequested,
  actionsDecided,
}: Omit<Metrics, 'registry'>): void {
  for (const kind of RECONCILED) reconciled.inc({ kind }, 0);
  for (const status of STATUSES) turnDuration.zero({ status });
  for (const reason of REFUSALS) fenceRefusals.inc({ reason }, 0);
  for (const outcome of ['undone', 'failed', 'lost']) compensations.inc({ outcome }, 0);
  for (const kind of ['outputs', 'approval']) actionsRequested.inc({ kind }, 0);
  for (const outcome of ['answered', 'approved', 'denied', 'expired'])
    actionsDecided.inc({ outcome }, 0);
  for (const to of ['model', 'answer']) fallbacks.inc({ to }, 0);
}

const SECONDS_OF_A_TURN = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600];
const SECONDS_TO_A_TOKEN = [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60];
const SECONDS_OF_CODE = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120];

function turnMetrics(registry: Registry) {
  return {
    turnDuration: new Histogram({
      name: 'turnkeeper_turn_duration_seconds',
      help: 'From accept to the end of a turn that this worker ended.',
      labelNames: ['status'],
      buckets: SECONDS_OF_A_TURN,
      registers: [registry],
    }),
    timeToFirstToken: new Histogram({
      name: 'turnkeeper_time_to_first_token_seconds',
      help: 'From accept to the first text of an answer, once a turn; once more when what was shown was taken back.',
      buckets: SECONDS_TO_A_TOKEN,
      registers: [registry],
    }),
  };
}

function modelMetrics(registry: Registry) {
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({
      name: `turnkeeper_model_${name}_total`,
      help,
      labelNames,
      registers: [registry],
    });
  return {
    modelCalls: counter('calls', 'Model calls that ended while this worker waited for them.', [
      'model',
      'outcome',
    ]),
    modelTokens: counter('tokens', 'Tokens that the provider reported; kinds add up to all.', [
      'model',
      'kind',
    ]),
    modelCost: counter('cost_dollars', 'What those tokens cost by list prices.', ['model']),
    unpricedTokens: counter('unpriced_tokens', 'Tokens of models that have no list price.', [
      'model',
    ]),
    modelRetries: counter('retries', 'Model calls that repeat one of the same step.', ['model']),
    abandonedCalls: counter(
      'abandoned_calls',
      'Model calls whose end nobody stored: their worker died, lost the step or was told to stop.',
      ['model'],
    ),
    resumedResponses: counter(
      'resumed_responses',
      'Background responses that were gone on with, by another attempt or over another connection.',
      ['model'],
    ),
    orphans: counter(
      'orphans',
      'Background creates that may be running at the provider under an id that nobody stored.',
      ['model'],
    ),
    failedStops: counter(
      'failed_stops',
      'Requests to stop a background response that its provider did not take: it is told again for a day.',
      ['model'],
    ),
    internalErrors: counter(
      'internal_errors',
      'Model calls whose reply came to nothing by a mistake of this program; the log has it.',
      [],
    ),
    fallbacks: counter('fallbacks', 'Steps that stood in for a model that failed for good.', [
      'to',
    ]),
  };
}

function workMetrics(registry: Registry) {
  return {
    toolCalls: new Counter({
      name: 'turnkeeper_tool_calls_total',
      help: 'Tool calls whose outcome was stored, also as unknown because their turn was ended.',
      labelNames: ['tool', 'outcome'],
      registers: [registry],
    }),
    actionsRequested: new Counter({
      name: 'turnkeeper_actions_requested_total',
      help: 'Tool calls that turns began to wait for, until their caller decides them.',
      labelNames: ['kind'],
      registers: [registry],
    }),
    actionsDecided: new Counter({
      name: 'turnkeeper_actions_decided_total',
      help: 'Those among them that turns have gone on with, or expired over.',
      labelNames: ['outcome'],
      registers: [registry],
    }),
    compensations: new Counter({
      name: 'turnkeeper_compensations_total',
      help: 'Effects that were undone, or could not be.',
      labelNames: ['outcome'],
      registers: [registry],
    }),
    sandboxDuration: new Histogram({
      name: 'turnkeeper_sandbox_duration_seconds',
      help: 'Running time of code in the sandbox, and the limit that ended it.',
      labelNames: ['backend', 'limit'],
      buckets: SECONDS_OF_CODE,
      registers: [registry],
    }),
    sandboxFailures: new Counter({
      name: 'turnkeeper_sandbox_failures_total',
      help: 'Runs that came to no result, because the sandbox was not there or went away.',
      labelNames: ['backend', 'reason'],
      registers: [registry],
    }),
  };
}

/** Counts what a sweep did, by its own names for it. */
export function countSweep({ sweepActions }: Metrics, counts: Record<string, number>): void {
  for (const [name, count] of Object.entries(counts)) {
    const action = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    sweepActions.inc({ action }, count);
  }
}

function recoveryMetrics(registry: Registry) {
  return {
    sweepActions: new Counter({
      name: 'turnkeeper_sweep_actions_total',
      help: 'What sweeps of this worker found left undone and saw to.',
      labelNames: ['action'],
      registers: [registry],
    }),
    reconciled: new Counter({
      name: 'turnkeeper_reconciled_total',
      help: 'What this worker found that did not fit together: mended, or told.',
      labelNames: ['kind'],
      registers: [registry],
    }),
    fenceRefusals: new Counter({
      name: 'turnkeeper_fence_refusals_total',
      help: 'What the store refused to an attempt that had lost its step or its turn.',
      labelNames: ['reason'],
      registers: [registry],
    }),
  };
}
