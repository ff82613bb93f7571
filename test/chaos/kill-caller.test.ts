import { describe, expect, it } from 'vitest';
import { startChild } from '../../src/dev/child.ts';
import { runnable } from '../support/compile.ts';
import { compensationOf, turnOf, undoingsOf } from '../support/compensating.ts';
import {
  answer,
  closedAs,
  createsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  resultOf,
  untilShown,
} from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';

const ANSWER = 'Yes, I am here.';

const world = useWorld();

describe(
  'a caller killed between the commit of its turn and the start of its workflow',
  { timeout: 180_000 },
  () => {
    it('has not lost the turn: the sweep starts it, and the same key finds it', async () => {
      const { env, offline, startWorker, turnkeeper } = world();
      const worker = await startWorker();
      const talk = await newTalk(world());
      await offline.script([answer(ANSWER)]);
      const caller = await startChild({
        name: 'The caller',
        script: runnable(new URL('../support/caller-main.ts', import.meta.url)),
        args: [talk.conversationId, talk.assistantId, 'only-once'],
        env,
      });
      const turn = await turnkeeper.turns.get(String(caller.ready['turnId']));
      expect(turn.state).toBe('accepted');
      caller.kill('SIGKILL');
      await caller.exited;

      const result = await resultOf(world(), turn);
      expect(result).toMatchObject({ status: 'completed', answer: ANSWER });
      expect(await createsOf(world())).toHaveLength(1);
      const again = await turnkeeper.turns.start({
        ...talk,
        input: 'Are you there?',
        idempotencyKey: 'only-once',
      });
      expect(again).toMatchObject({ id: turn.id, state: 'sealed' });
      expect(await closedAs(world(), turn)).toBe('COMPLETED');
      await expectNextTurn(world(), talk);
      worker.kill('SIGKILL');
    });
  },
);

describe(
  'a caller killed between asking for a turn to be undone and cancelling it',
  { timeout: 180_000 },
  () => {
    it('is heard: the turn goes on to its own end and is undone then, once', async () => {
      const { env, offline, startWorker, turnkeeper } = world();
      const worker = await startWorker();
      const { talk, turn } = await turnOf(world(), ['reserve'], heldAnswer(ANSWER));
      await untilShown(world(), turn);
      const caller = await startChild({
        name: 'The caller',
        script: runnable(new URL('../support/canceller-main.ts', import.meta.url)),
        args: [turn.id],
        env,
      });
      expect(caller.ready).toEqual({ cancelling: turn.id });
      caller.kill('SIGKILL');
      await caller.exited;
      await offline.release();

      expect(await resultOf(world(), turn)).toMatchObject({ status: 'completed', answer: ANSWER });
      expect(await compensationOf(world(), turn)).toMatchObject([{ status: 'completed' }]);
      const again = await turnkeeper.turns.cancel(turn.id, { compensate: true });
      expect(again).toMatchObject({ status: 'completed', compensation: 'closed' });
      expect(undoingsOf(world(), turn)).toEqual(['undo reserve']);
      await expectNextTurn(world(), talk);
      worker.kill('SIGKILL');
    });
  },
);
