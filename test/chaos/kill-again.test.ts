import { describe, expect, it } from 'vitest';
import { startChild } from '../../src/dev/child.ts';
import { runnable } from '../support/compile.ts';
import { compensationOf, REFUSAL, turnOf, undoingsOf } from '../support/compensating.ts';
import { chosenRows } from '../support/sample.ts';
import { answer, createsOf, effectsOf, resultOf } from '../support/talk.ts';
import { useWorld } from '../support/turns.ts';

const world = useWorld();
const KEY = 'only-once';
const SAMPLED_ROWS = 1;
const WAYS = (['retry', 'regenerate', 'edit'] as const).map((point) => ({ point }));

describe(
  'a caller killed between the commit and the start of a turn that is',
  { timeout: 180_000 },
  () => {
    it.each(chosenRows(WAYS, SAMPLED_ROWS))(
      'made by $point has not lost it',
      async ({ point: what }) => {
        const { current } = world;
        const { turns } = current.turnkeeper;
        const ends = what === 'retry' ? REFUSAL : answer('Reserved.');
        const tool = what === 'retry' ? 'touch' : 'reserve';
        const { turn } = await turnOf(current, [tool], ends);
        await resultOf(current, turn);
        await current.offline.script([answer('Here I am.')]);
        const caller = await startChild({
          name: 'The caller',
          script: runnable(new URL('../support/again-main.ts', import.meta.url)),
          args: [turn.id, what, KEY],
          env: current.env,
        });
        caller.kill('SIGKILL');
        await caller.exited;

        const again = await turns.get(String(caller.ready['turnId']));
        expect(again.origin).toEqual({ kind: what, turnId: turn.id });
        expect(await resultOf(current, again)).toMatchObject({
          status: 'completed',
          answer: 'Here I am.',
        });
        expect(await createsOf(current)).toHaveLength(1);
        const repeated = {
          retry: () => turns.retry(turn.id, { idempotencyKey: KEY }),
          regenerate: () => turns.regenerate(turn.id, { compensate: true, idempotencyKey: KEY }),
          edit: () => turns.edit(turn.id, { input: 'And now?', idempotencyKey: KEY }),
        };
        expect(await repeated[what]()).toMatchObject({ id: again.id, state: 'sealed' });
        const done = effectsOf(current, turn).filter((effect) => effect.tool === tool);
        expect(done).toHaveLength(1);
        if (what !== 'regenerate') return;
        expect(await compensationOf(current, turn)).toMatchObject([{ status: 'completed' }]);
        expect(undoingsOf(current, turn)).toEqual(['undo reserve']);
      },
    );
  },
);
