import type { NewEvent, Usage } from '../contracts/store.ts';
import type { FinalStatus, TurnInput } from '../contracts/turn.ts';

/** The first event of a turn, once it has got the conversation. */
export function startedEvent(
  { turnId, conversationId, assistant }: TurnInput,
  interrupts: string | null = null,
): NewEvent {
  return {
    type: 'turn.started',
    turn_id: turnId,
    conversation_id: conversationId,
    assistant_id: assistant.id,
    assistant_version: assistant.version,
    ...(interrupts !== null && { interrupts }),
  };
}

/** The last one. */
export function doneEvent(status: FinalStatus, reason: string | null, usage: Usage): NewEvent {
  const { inputTokens, outputTokens, totalTokens } = usage;
  const tokens = {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    total_tokens: totalTokens,
  };
  return { type: 'turn.done', status, reason, usage: tokens };
}
