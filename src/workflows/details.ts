import { setCurrentDetails } from '@temporalio/workflow';
import { renderDetails, type StepMark } from '../conversation/loop.ts';

export interface DetailsBoard {
  /** Shows the step as running while the work goes on, and then how it went. Costs no history. */
  during<T>(step: string, label: string, work: () => Promise<T>): Promise<T>;
  /** Shows how a step stands that others do. */
  note(step: string, label: string, how: StepMark): void;
}

/** The turn's current details in the Web UI. */
export function detailsBoard(): DetailsBoard {
  const steps = new Map<string, { label: string; mark: StepMark }>();
  const mark = (step: string, label: string, how: StepMark) => {
    steps.set(step, { label, mark: how });
    setCurrentDetails(renderDetails(steps));
  };
  return {
    note: mark,
    async during(step, label, work) {
      mark(step, label, 'running');
      try {
        const result = await work();
        mark(step, label, 'done');
        return result;
      } catch (error) {
        mark(step, label, 'failed');
        throw error;
      }
    },
  };
}
