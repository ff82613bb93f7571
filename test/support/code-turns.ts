import { expect } from 'vitest';
import type { Turn } from '../../src/contracts/store.ts';
import { answer, closedAs, createsOf, newTalk, resultOf, say, type Talk } from './talk.ts';
import type { World } from './world.ts';

const ANSWER = 'That is computed.';
const CALL_ID = 'call_code';

export interface CodeTurn {
  talk: Talk;
  turn: Turn;
  /** Of the call. */
  key: string;
}

/** Starts a turn whose model has this Python code run, and then answers. */
export async function startCodeTurn(world: World, code: string): Promise<CodeTurn> {
  const call = { name: 'run_code', arguments: { language: 'python', code }, callId: CALL_ID };
  await world.offline.script([{ kind: 'calls', calls: [call] }, answer(ANSWER)]);
  const talk = await newTalk(world, { tools: ['run_code'] });
  const turn = await say(world, talk, 'What is it?');
  return { talk, turn, key: `${turn.id}:tool:${CALL_ID}` };
}

/** The model was told of one run that printed this and ended well, and has answered. */
export async function expectComputed(world: World, turn: Turn, printed: RegExp): Promise<void> {
  const result = await resultOf(world, turn);
  expect(result).toMatchObject({ status: 'completed', reason: null, answer: ANSWER });
  const { input } = (await createsOf(world))[1]?.body as {
    input: { type: string; output: string }[];
  };
  const outputs = input.filter(({ type }) => type === 'function_call_output');
  expect(outputs.map(({ output }) => JSON.parse(output) as unknown)).toEqual([
    expect.objectContaining({ stdout: expect.stringMatching(printed) as string, exit_code: 0 }),
  ]);
  expect(await closedAs(world, turn)).toBe('COMPLETED');
}
