import { describe, expect, it, onTestFinished } from 'vitest';
import { compensationId } from '../../src/contracts/starter.ts';
import type { Turn } from '../../src/contracts/store.ts';
import {
  compensationClosedAs,
  compensationOf,
  notesOf,
  turnOf,
  undoingsOf,
} from '../support/compensating.ts';
import { sampledIt } from '../support/sample.ts';
import { expectNextTurn, heldAnswer, resultOf, SOON, untilShown } from '../support/talk.ts';
import { useWorkers } from '../support/use-workers.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { useCutOffWorld } from '../support/use-cut-off-world.ts';

const OUTAGE_MS = 10_000;
const BOTH = ['undo pay', 'undo reserve'];

const { world, proxy } = useCutOffWorld();
const workers = useWorkers(() => world().startWorker());

async function expectBothUndoneOnce(turn: Turn): Promise<void> {
  expect(await compensationOf(world(), turn)).toMatchObject([
    { key: 'compensate:call_pay', status: 'completed', attempts: 1 },
    { key: 'compensate:call_reserve', status: 'completed', attempts: 1 },
  ]);
  expect(undoingsOf(world(), turn)).toEqual(BOTH);
}

describe('a turn that fails because its workflow is lost', { timeout: 120_000 }, () => {
  it('has its effects undone, though whoever sealed it could not ask for that', async () => {
    const worker = await workers.next();
    const { talk, turn } = await turnOf(world(), ['reserve', 'pay'], heldAnswer('I was about to'));
    await untilShown(world(), turn);
    await world().temporal.workflow.getHandle(turn.id).terminate('by an operator');
    const sealer = await world().client(({ store, starter }) => ({
      store,
      starter: { ...starter, startCompensation: () => Promise.reject(new Error('no way')) },
    }));
    expect(await sealer.turns.result(turn.id)).toMatchObject({
      status: 'failed',
      reason: 'workflow_lost',
    });
    await expectBothUndoneOnce(turn);
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });
});

describe('a database that is away for ten seconds', { timeout: 120_000 }, () => {
  const it = sampledIt(3, 1);

  it('does not have an effect undone twice that was just undone', async () => {
    const worker = await workers.next();
    const undone = worker.hangAt('compensate pay: during');
    const { turn } = await turnOf(world(), ['reserve', 'pay']);
    await undone;
    const outage = proxy().outage(OUTAGE_MS);
    worker.letGo();
    await outage;
    await expectBothUndoneOnce(turn);
    expect(await compensationClosedAs(world(), turn)).toBe('COMPLETED');
    workers.keep(worker);
  });

  it('as a cancelled turn is sealed does not keep it from being undone', async () => {
    const worker = await workers.next();
    const { talk, turn } = await turnOf(world(), ['reserve', 'pay'], heldAnswer('I was about to'));
    await untilShown(world(), turn);
    const sealing = worker.hangAt('closeTurn: before');
    // Whoever waits for its end may be told of the outage.
    const cancelling = world()
      .turnkeeper.turns.cancel(turn.id, { compensate: true })
      .catch(() => undefined);
    await sealing;
    const outage = proxy().outage(OUTAGE_MS);
    worker.letGo();
    await outage;
    await cancelling;
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'cancelled' });
    expect(await compensationOf(world(), turn)).toMatchObject([
      { status: 'completed', attempts: 1 },
      { status: 'completed', attempts: 1 },
    ]);
    expect(undoingsOf(world(), turn)).toEqual(BOTH);
    expect(await notesOf(world(), talk)).toHaveLength(2);
    workers.keep(worker);
  });

  it('between two effects costs no attempt of the next one', async () => {
    const worker = await workers.next();
    const settled = worker.hangAt('compensate pay: settled');
    const { turn } = await turnOf(world(), ['reserve', 'pay']);
    await settled;
    const outage = proxy().outage(OUTAGE_MS);
    worker.letGo();
    await outage;
    await expectBothUndoneOnce(turn);
    workers.keep(worker);
  });
});

describe('a compensation whose workflow is terminated', { timeout: 120_000 }, () => {
  it('is closed by a sweep, and its steps say what was left', async () => {
    const worker = await workers.next();
    const reached = worker.hangAt('compensate reserve: before');
    const { talk, turn } = await turnOf(world(), ['reserve', 'pay']);
    await reached;
    await world().temporal.workflow.getHandle(compensationId(turn.id)).terminate('by an operator');
    await world().sql(
      "UPDATE turnkeeper.turns SET sealed_at = now() - interval '61 seconds', compensation_checked_at = NULL WHERE id = $1",
      [turn.id],
    );
    expect(await compensationOf(world(), turn)).toMatchObject([
      { key: 'compensate:call_pay', status: 'completed', error: null },
      { key: 'compensate:call_reserve', status: 'closed', error: { reason: 'workflow_lost' } },
    ]);
    await expectNextTurn(world(), talk);
  });
});

describe('a worker that another has taken an effect from', { timeout: 120_000 }, () => {
  it('can settle nothing any more', async () => {
    const temporal = await startTcpProxy(world().env['TEMPORAL_ADDRESS'] ?? '');
    onTestFinished(() => temporal.stop());
    const zombie = await world().startWorker({ env: { TEMPORAL_ADDRESS: temporal.address } });
    const reached = zombie.hangAt('compensate pay: after');
    const { turn } = await turnOf(world(), ['reserve', 'pay']);
    await reached;
    zombie.kill('SIGSTOP');
    // Else Temporal goes on giving it tasks.
    temporal.cut();
    const successor = await workers.next();
    const steps = await compensationOf(world(), turn);
    expect(steps).toMatchObject([{ attempts: 2, status: 'completed' }, { status: 'completed' }]);
    temporal.restore();
    zombie.letGo();
    zombie.kill('SIGCONT');
    await expect.poll(() => zombie.refusals(turn.id), SOON).toContain('settleCompensation');
    expect(await compensationOf(world(), turn)).toEqual(steps);
    zombie.kill('SIGKILL');
    workers.keep(successor);
  });
});
