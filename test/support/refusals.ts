import type { ActivityDependencies } from '../../src/activities/dependencies.ts';
import { StepRefused, type Appender, type StepRef, type Store } from '../../src/contracts/store.ts';

/** A write of an attempt that had lost its step, refused by the store. */
export interface Refusal {
  refused: 'append' | 'settleResponse' | 'settleTool' | 'settleCompensation';
  turnId: string;
}

type Announce = (refusal: Refusal) => void;

/** Ports that tell of every write the store refused: how a test knows that a zombie tried. */
export function announcingPorts(
  real: ActivityDependencies,
  announce: Announce,
): ActivityDependencies {
  return {
    ...real,
    store: announcingStore(real.store, announce),
    appender: announcingAppender(real.appender, announce),
  };
}

function announcingStore(store: Store, announce: Announce): Store {
  const announced = async (
    refused: Refusal['refused'],
    { turnId }: StepRef,
    write: Promise<void>,
  ): Promise<void> => {
    try {
      await write;
    } catch (error) {
      if (error instanceof StepRefused) announce({ refused, turnId });
      throw error;
    }
  };
  const { steps, compensations } = store;
  return {
    ...store,
    steps: {
      ...steps,
      settleResponse: (ref, ...rest) =>
        announced('settleResponse', ref, steps.settleResponse(ref, ...rest)),
      settleTool: (ref, ...rest) => announced('settleTool', ref, steps.settleTool(ref, ...rest)),
    },
    compensations: {
      ...compensations,
      settle: (ref, ...rest) =>
        announced('settleCompensation', ref, compensations.settle(ref, ...rest)),
    },
  };
}

function announcingAppender(appender: Appender, announce: Announce): Appender {
  return {
    ...appender,
    lost(ref) {
      const lost = appender.lost(ref);
      lost.addEventListener('abort', () => {
        if (lost.reason instanceof StepRefused) announce({ refused: 'append', turnId: ref.turnId });
      });
      return lost;
    },
  };
}
