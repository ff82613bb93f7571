import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Turn } from '../../src/contracts/store.ts';
import { startChild } from '../../src/dev/child.ts';
import { runnable } from '../support/compile.ts';
import { hasPart } from '../support/require-part.ts';
import { readEvents, shownTexts } from '../support/reading.ts';
import {
  closedAs,
  createsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  resultOf,
  SOON,
  untilShown,
  type Talk,
} from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';

const TEXT = 'Beavers build dams and lodges out of branches.';

const world = useWorld();
beforeAll(async () => {
  if (hasPart('temporal') && hasPart('postgres')) await world().startWorker();
});

/** A turn that is cancelled a second after its last reader has gone; its answer never comes to an end. */
async function startTurn(cancelAfterMs = 1_000): Promise<{ talk: Talk; turn: Turn }> {
  const talk = await newTalk(world());
  await world().offline.script([heldAnswer(TEXT)]);
  const onDisconnect = { cancelAfterMs };
  const turn = await world().turnkeeper.turns.start({ ...talk, input: 'Go on.', onDisconnect });
  return { talk, turn };
}

async function expectCancelled({ talk, turn }: { talk: Talk; turn: Turn }): Promise<void> {
  expect(await resultOf(world(), turn)).toMatchObject({
    status: 'cancelled',
    reason: 'reader_gone',
  });
  expect(await closedAs(world(), turn)).toBe('CANCELLED');
  await vi.waitFor(async () => {
    expect(await createsOf(world())).toMatchObject([{ aborted: true }]);
  }, SOON);
  await expectNextTurn(world(), talk);
}

/** How often a reader has said that it is there. */
async function leaseOf({ id }: Turn): Promise<Date | null> {
  const [row] = await world().sql<{ read_until: Date | null }>(
    'SELECT read_until FROM turnkeeper.turns WHERE id = $1',
    [id],
  );
  return row?.read_until ?? null;
}

describe('a turn whose readers are gone', { timeout: 120_000 }, () => {
  it('cancels the turn, with what was shown, as soon as nobody has read it for so long', async () => {
    const { talk, turn } = await startTurn();
    for await (const { event } of world().turnkeeper.turns.events(turn.id)) {
      if (event.type === 'response.output_text.delta') break;
    }
    const { output } = await resultOf(world(), turn);
    await expectCancelled({ talk, turn });
    const events = await readEvents(world().turnkeeper, turn.id);
    const done = { type: 'turn.done', status: 'cancelled', reason: 'reader_gone' };
    expect(events.at(-1)?.event).toMatchObject(done);
    const [shown] = shownTexts(events);
    expect(TEXT.startsWith(shown ?? 'nothing')).toBe(true);
    expect(output).toMatchObject([{ status: 'incomplete', content: [{ text: shown }] }]);
  });

  it('is cancelled when the process that read it was killed', async () => {
    // A process takes its time to come up.
    const started = await startTurn(600_000);
    const reader = await startChild({
      name: 'The reader',
      script: runnable(new URL('../support/reader-main.ts', import.meta.url)),
      args: [started.turn.id],
      env: world().env,
    });
    await untilShown(world(), started.turn);
    await vi.waitFor(async () => expect(await leaseOf(started.turn)).not.toBeNull(), SOON);
    await world().sql('UPDATE turnkeeper.turns SET cancel_after_ms = 1000 WHERE id = $1', [
      started.turn.id,
    ]);
    reader.kill('SIGKILL');
    await reader.exited;
    await expectCancelled(started);
  });

  it('is cancelled when nobody ever read it', async () => {
    await expectCancelled(await startTurn());
  });

  it('goes on while one of two still reads', async () => {
    const { turn } = await startTurn();
    const { turns } = world().turnkeeper;
    const [staying, leaving] = [turns.events(turn.id), turns.events(turn.id)];
    const stays = (async () => {
      for await (const { event } of staying) if (event.type === 'turn.done') return event;
      return null;
    })();
    for await (const { event } of leaving) if (event.type === 'response.output_text.delta') break;
    const left = await leaseOf(turn);
    // Until long after the turn would have been cancelled for the one who left.
    await vi.waitFor(async () => {
      const renewed = await leaseOf(turn);
      expect(Number(renewed) - Number(left)).toBeGreaterThan(12_000);
    }, SOON);
    await world().offline.release();
    expect(await stays).toMatchObject({ status: 'completed' });
  });
});
