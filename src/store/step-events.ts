import type { JsonObject } from '../contracts/json.ts';
import type { BeginStep, ClaimTool, NewEvent, StepKind } from '../contracts/store.ts';

/** A step that a turn's stream tells of, as its row has it. */
interface ToldStep {
  key: string;
  kind: StepKind;
  model: string | null;
  call_id: string | null;
  tool_name: string | null;
}

/** Told once a step: attempts that come later go on with it. */
export function stepStarted(step: BeginStep | ClaimTool): NewEvent {
  const tool = step.kind === 'tool' ? step : null;
  return stepEvent('started', {
    key: step.step,
    kind: step.kind,
    model: step.kind === 'respond' ? step.model : null,
    call_id: tool?.callId ?? null,
    tool_name: tool?.name ?? null,
  });
}

/** `more` is what it came to: a number or a word, for outputs and passages are read elsewhere. */
export function stepSettled(
  step: ToldStep,
  status: 'completed' | 'failed',
  more: JsonObject = {},
): NewEvent {
  return { ...stepEvent(status, step), ...more };
}

function stepEvent(status: 'started' | 'completed' | 'failed', step: ToldStep): NewEvent {
  const { key, kind, model, call_id, tool_name: name } = step;
  return {
    ...{ type: 'turn.step', step: key, kind, status },
    ...(kind === 'respond' && { model }),
    ...(kind === 'tool' && { call_id, name }),
  };
}
