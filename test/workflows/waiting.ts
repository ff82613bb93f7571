import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { JsonObject } from '../../src/contracts/json.ts';
import { answer } from '../support/talk.ts';
import {
  inputOf,
  startTurn,
  toolOutputs,
  type EndedTurn,
  type StartedTurn,
  type TestWorld,
} from '../support/turns.ts';
import { asking, untilWaiting } from '../support/waiting-turns.ts';

export const ANSWER = 'That is settled.';

export const completed = { status: 'completed', answer: ANSWER };

export const CLIENT_TOOL = {
  name: 'ask_user',
  description: 'Asks the user.',
  parameters: {
    type: 'object',
    properties: { question: { type: 'string' } },
    required: ['question'],
  },
} satisfies JsonObject;

/** Turns of this world that wait for their caller. */
export function waitingIn(world: TestWorld) {
  return {
    turns: () => world.current.turnkeeper.turns,
    /** A turn whose model asks for these calls and then answers; it waits. */
    async waitingTurn(
      calls: Record<string, JsonObject>,
      assistant: Partial<AssistantDefinition> = {},
    ): Promise<StartedTurn> {
      const script = [asking(calls), answer(ANSWER)];
      const turn = await startTurn(world.current, { assistant, script });
      await untilWaiting(world.current, turn);
      return turn;
    },
  };
}

export function toldTo({ requests }: EndedTurn): [string, string][] {
  return toolOutputs(inputOf(requests[1]));
}
