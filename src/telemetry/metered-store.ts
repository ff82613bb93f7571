import {
  isOrphan,
  type CompensationStore,
  type Sealed,
  type StepStore,
  type Store,
} from '../contracts/store.ts';
import type { FirstTokens } from './first-tokens.ts';
import { OTHER } from './labels.ts';
import type { Metrics } from './metrics.ts';
import { refusalCounter, tellingRejections } from './refusals.ts';

export interface StoreMeters {
  metrics: Metrics;
  firstTokens: FirstTokens;
  modelLabel: (model: string) => string;
  /** Whether the worker has a tool of that name: models call what they like. */
  hasTool: (name: string) => boolean;
}

/** Counts what the store was told and has kept, and what it refused. */
export function meteredStore(store: Store, meters: StoreMeters): Store {
  const refusal = refusalCounter(meters.metrics);
  return {
    ...store,
    turns: meteredTurns(store.turns, meters),
    actions: meteredActions(store.actions, meters.metrics),
    steps: tellingRejections(meteredSteps(store.steps, meters), refusal),
    compensations: tellingRejections(
      meteredCompensations(store.compensations, meters.metrics),
      refusal,
    ),
  };
}

function meteredTurns(turns: Store['turns'], meters: StoreMeters): Store['turns'] {
  const { metrics, modelLabel } = meters;
  return {
    ...turns,
    async seal(...args) {
      const sealed = await turns.seal(...args);
      if (sealed?.won) {
        metrics.turnDuration.observe({ status: sealed.status }, sealed.durationMs / 1_000);
        for (const call of sealed.abandonedCalls) {
          const model = modelLabel(call.model);
          metrics.abandonedCalls.inc({ model });
          metrics.orphans.inc({ model }, isOrphan(call) ? 1 : 0);
        }
        for (const { name } of sealed.interruptedTools)
          metrics.toolCalls.inc({ tool: toolLabel(meters, name), outcome: 'unknown' });
        if (sealed.reason === 'workflow_lost') countLost(metrics, sealed);
      }
      return sealed;
    },
  };
}

/** A turn that nobody ended, and the claims that were open in it. */
function countLost({ reconciled }: Metrics, sealed: Sealed): void {
  const { interruptedTools, abandonedCalls } = sealed;
  reconciled.inc({ kind: 'lost_turns' });
  reconciled.inc({ kind: 'expired_claims' }, interruptedTools.length + abandonedCalls.length);
}

function toolLabel({ hasTool }: StoreMeters, name: string): string {
  return hasTool(name) ? name : OTHER;
}

/** What was not undone is counted at least once: again by whoever finds it settled so, lest nobody had counted it. */
function meteredCompensations(
  compensations: CompensationStore,
  { compensations: counted }: Metrics,
): CompensationStore {
  return {
    ...compensations,
    async begin(step) {
      const begun = await compensations.begin(step);
      if (begun.state === 'settled' && begun.status === 'failed')
        counted.inc({ outcome: 'failed' });
      return begun;
    },
    async settle(ref, failure) {
      await compensations.settle(ref, failure);
      counted.inc({ outcome: failure ? 'failed' : 'undone' });
    },
    async abandon(...args) {
      const left = await compensations.abandon(...args);
      counted.inc({ outcome: 'lost' }, left);
      return left;
    },
  };
}

/** A turn reads its actions until all are decided or its time is up, and then no more. */
function meteredActions(actions: Store['actions'], { actionsDecided }: Metrics): Store['actions'] {
  return {
    ...actions,
    async read(...args) {
      const read = await actions.read(...args);
      const isOver = read.waitMs === null || read.waitMs === 0;
      for (const state of isOver ? Object.values(read.states) : [])
        actionsDecided.inc({ outcome: state === 'pending' ? 'expired' : state });
      return read;
    },
  };
}

function meteredSteps(steps: StepStore, meters: StoreMeters): StepStore {
  const { metrics, firstTokens, modelLabel } = meters;
  return {
    ...steps,
    async begin(step) {
      const begun = await steps.begin(step);
      const isNew = begun.state === 'open' && begun.earlierAttempts === 0;
      if (isNew && step.kind === 'respond' && step.follows)
        metrics.fallbacks.inc({ to: step.model === null ? 'answer' : 'model' });
      return begun;
    },
    async loadContext(ref) {
      const context = await steps.loadContext(ref);
      firstTokens.expect(ref, context);
      return context;
    },
    async recordIntent(ref, call) {
      const intent = await steps.recordIntent(ref, call);
      const { failedCalls, abandonedCalls, orphans } = intent;
      const model = modelLabel(call.model);
      metrics.abandonedCalls.inc({ model }, abandonedCalls);
      metrics.orphans.inc({ model }, orphans);
      metrics.modelRetries.inc({ model }, failedCalls + abandonedCalls > 0 ? 1 : 0);
      return intent;
    },
    async recordFailedCall(ref, callId, call) {
      await steps.recordFailedCall(ref, callId, call);
      metrics.internalErrors.inc(call.error === 'internal_error' ? 1 : 0);
    },
    async settleResponse(ref, response) {
      await steps.settleResponse(ref, response);
      for (const { kind } of response.waiting?.actions ?? [])
        metrics.actionsRequested.inc({ kind });
    },
    async settleTool(ref, call) {
      await steps.settleTool(ref, call);
      metrics.toolCalls.inc({ tool: toolLabel(meters, call.name), outcome: call.outcome });
    },
  };
}
