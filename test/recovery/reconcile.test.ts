import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Checked } from '../../src/contracts/checked.ts';
import type { CountReconciled } from '../../src/contracts/reconciled.ts';
import type { Turn } from '../../src/contracts/store.ts';
import { examine } from '../../src/recovery/examine.ts';
import { reconcileChores } from '../../src/recovery/reconcile.ts';
import type { Recovery } from '../../src/recovery/recovery.ts';
import { afterRestore, beforeRestore } from '../../src/recovery/restore.ts';
import { RecordingStarter } from '../client/recording-starter.ts';
import { newTalk, startWorld, type World } from '../client/world.ts';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

let world: World;
let starter: RecordingStarter;
let parts: Recovery;
const counted = new Map<string, number>();
const count: CountReconciled = (kind, n) => counted.set(kind, (counted.get(kind) ?? 0) + n);

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

beforeEach(async () => {
  starter = new RecordingStarter();
  parts = { store: world.store, starter, logger: world.logger };
  counted.clear();
  world.logs.length = 0;
  await world.sql("UPDATE turnkeeper.turns SET state = 'sealed', sealed_at = now()");
  await world.sql('UPDATE turnkeeper.conversations SET active_turn = NULL');
  await world.sql('DELETE FROM turnkeeper.queue');
});
afterEach(() => vi.useRealTimers());

const get = ({ id }: Turn) => world.store.turns.get('default', id);
const age = (column: string, { id }: Turn) =>
  world.sql(`UPDATE turnkeeper.turns SET ${column} = now() - interval '1 hour' WHERE id = $1`, [
    id,
  ]);

async function startedTurn(): Promise<Turn> {
  const { client } = world.client();
  const turn = await client.turns.start({ ...(await newTalk(client)), input: 'Hello' });
  await age('started_at', turn);
  return turn;
}

/** A turn that waits behind another one. */
async function queuedTurn(): Promise<{ holder: Turn; queued: Turn }> {
  const { client } = world.client();
  const talk = await newTalk(client);
  const holder = await client.turns.start({ ...talk, input: 'Hello' });
  const queued = await client.turns.start({ ...talk, input: 'And?', whenBusy: 'enqueue' });
  return { holder, queued };
}

async function runAll(): Promise<void> {
  for (const chore of reconcileChores(parts, count)) await chore.run();
}

describe('the reconciler', () => {
  it('ends a started turn whose workflow is gone, though nobody waits for it', async () => {
    const [lost, well] = [await startedTurn(), await startedTurn()];
    starter.states.set(lost.id, 'not_found');
    await runAll();
    expect(await get(lost)).toMatchObject({ status: 'failed', reason: 'workflow_lost' });
    expect(await get(well)).toMatchObject({ state: 'started' });
  });

  it('ends nothing that Temporal does not know when it knows no other turn either', async () => {
    const turn = await startedTurn();
    starter.otherwise = 'not_found';
    await runAll();
    expect(await get(turn)).toMatchObject({ state: 'started' });
    expect(world.logs.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('may be another one'),
    );
  });

  it('asks about one turn once in a while, however many workers ask', async () => {
    const turn = await startedTurn();
    await runAll();
    await runAll();
    // Once whether Temporal knows the newest turn, which this is, and once what has become of it.
    expect(starter.asked.filter((id) => id === turn.id)).toHaveLength(2);
  });

  it('lets nothing happen while Temporal cannot be asked', async () => {
    const turn = await startedTurn();
    starter.away = true;
    const [endLost] = reconcileChores(parts, count);
    await expect(endLost?.run()).rejects.toMatchObject({ code: 'temporal_unreachable' });
    expect(await get(turn)).toMatchObject({ state: 'started' });
  });

  it.each(['a turn that has ended', 'nobody'])(
    'starts the turn that waits in a conversation that %s holds',
    async (whom) => {
      const { holder, queued } = await queuedTurn();
      await world.sql("UPDATE turnkeeper.turns SET state = 'sealed' WHERE id = $1", [holder.id]);
      if (whom === 'nobody')
        await world.sql('UPDATE turnkeeper.conversations SET active_turn = NULL');
      await runAll();
      expect(starter.startedIds()).toEqual([queued.id]);
      expect(await get(queued)).toMatchObject({ state: 'started' });
      expect(counted.get('stuck_conversations')).toBe(1);
      const { conversationId } = holder;
      expect(world.logs).toContainEqual({
        level: 'warn',
        message: 'conversation freed',
        fields: { tenant: 'default', conversationId },
      });
    },
  );

  it('brings items that wait into a conversation that nobody holds', async () => {
    const { client } = world.client();
    const talk = await newTalk(client);
    await client.turns.start({ ...talk, input: 'Hello' });
    const items = [{ type: 'message', role: 'user', content: 'By the way' }] as const;
    await client.conversations.addItems(talk.conversationId, {
      items: [...items],
      whenBusy: 'enqueue',
    });
    await world.sql("UPDATE turnkeeper.turns SET state = 'sealed'");
    await runAll();
    expect(counted.get('stuck_conversations')).toBe(1);
    const { data } = await client.conversations.items(talk.conversationId);
    expect(JSON.stringify(data.at(-1)?.item)).toContain('By the way');
  });

  it('ends workflows of turns that ended some time ago, and tells of those of unknown turns', async () => {
    const [late, fresh, open] = [await startedTurn(), await startedTurn(), await startedTurn()];
    for (const turn of [late, fresh])
      await world.store.turns.seal('default', turn.id, { status: 'cancelled' });
    await age('sealed_at', late);
    starter.listed.turn.push(late.id, fresh.id, open.id, UNKNOWN, 'somebody-elses');
    await runAll();
    expect(starter.terminated).toEqual([late.id]);
    expect(Object.fromEntries(counted)).toMatchObject({
      sealed_workflows: 1,
      unknown_workflows: 1,
    });
    expect(world.logs).toContainEqual({
      level: 'warn',
      message: 'workflow of an unknown turn',
      fields: { turn: UNKNOWN },
    });
  });

  it('has Temporal list a page a minute, and goes on with the next', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const list = vi.spyOn(starter, 'running');
    starter.listed.turn.push(...Array.from({ length: 150 }, (_, n) => `other-${n}`));
    const chores = reconcileChores(parts, count);
    const run = () => chores.at(-1)?.run();
    await run();
    await run();
    expect(list.mock.calls.map(([, page]) => page.after)).toEqual([null]);
    vi.setSystemTime(Date.now() + 60_000);
    await run();
    vi.setSystemTime(Date.now() + 60_000);
    await run();
    expect(list.mock.calls.map(([, page]) => page.after)).toEqual([null, '100', null]);
  });

  it('begins the list again when Temporal does not take the place any more', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    starter.listed.turn.push(...Array.from({ length: 150 }, (_, n) => `other-${n}`));
    const list = vi.spyOn(starter, 'running');
    const chores = reconcileChores(parts, count);
    const run = async () => {
      vi.setSystemTime(Date.now() + 60_000);
      await chores.at(-1)?.run();
    };
    await run();
    list.mockRejectedValueOnce(new Error('no such place'));
    await expect(run()).rejects.toThrow('no such place');
    await run();
    expect(list.mock.calls.map(([, page]) => page.after)).toEqual([null, '100', null]);
  });

  it('tells nothing of a workflow that Temporal lists though it has closed', async () => {
    starter.listed.turn.push(UNKNOWN);
    starter.states.set(UNKNOWN, 'closed');
    await runAll();
    expect(counted.get('unknown_workflows')).toBe(0);
  });
});

async function findings(fix = false, mayEnd = false): Promise<Record<string, Checked>> {
  const found: Record<string, Checked> = {};
  const options = { fix, mayEnd: () => Promise.resolve(mayEnd) };
  for await (const checked of examine(parts, options)) found[checked.check] = checked;
  return found;
}

const statesOf = (found: Record<string, Checked>) =>
  Object.entries(found).flatMap(([check, { state }]) => (state === 'ok' ? [] : [[check, state]]));

describe('an examination of the data', () => {
  it('finds nothing where all is well', async () => {
    await startedTurn();
    await queuedTurn();
    expect(statesOf(await findings())).toEqual([]);
    expect(statesOf(await findings(true))).toEqual([]);
  });

  it('finds everything that does not fit together and changes nothing, until it is asked to mend it', async () => {
    const lost = await startedTurn();
    starter.states.set(lost.id, 'closed');
    const { holder, queued } = await queuedTurn();
    await world.sql("UPDATE turnkeeper.turns SET state = 'sealed' WHERE id = $1", [holder.id]);
    const sealed = await startedTurn();
    await world.store.turns.seal('default', sealed.id, { status: 'cancelled' });
    await age('sealed_at', sealed);
    starter.listed.turn.push(sealed.id);
    const late = await startedTurn();
    await age('deadline', late);

    const found = await findings();
    expect(statesOf(found)).toEqual([
      ['turns', 'problem'],
      ['conversations', 'problem'],
      ['workflows of ended turns', 'problem'],
      ['work for sweeps', 'problem'],
    ]);
    expect(found['turns']?.examples).toEqual([lost.id]);
    expect(await get(lost)).toMatchObject({ state: 'started' });
    expect(starter.terminated).toEqual([]);
    for (const { advice, state } of Object.values(found))
      expect(advice !== undefined).toBe(state === 'problem');

    vi.spyOn(starter, 'terminate').mockImplementation((id) => {
      starter.listed.turn.splice(starter.listed.turn.indexOf(id), 1);
      return Promise.resolve();
    });
    expect(statesOf(await findings(true)).map(([, state]) => state)).toEqual(
      Array.from({ length: 4 }, () => 'mended'),
    );
    expect(await get(lost)).toMatchObject({ reason: 'workflow_lost' });
    expect(await get(queued)).toMatchObject({ state: 'started' });
    expect(await get(late)).toMatchObject({ status: 'expired' });
    expect(statesOf(await findings())).toEqual([]);
  });

  it('finds nothing in a conversation that is being deleted, but one that no sweep comes to', async () => {
    const { holder } = await queuedTurn();
    await world.sql("UPDATE turnkeeper.turns SET state = 'sealed' WHERE id = $1", [holder.id]);
    const markDeleted = (ago: string) =>
      world.sql(
        `UPDATE turnkeeper.conversations SET deleted_at = now() - $2::interval,
           deletion_tried_at = now() - $2::interval WHERE id = $1`,
        [holder.conversationId, ago],
      );
    await markDeleted('1 minute');
    expect(statesOf(await findings())).toEqual([]);
    await markDeleted('1 hour');
    expect(statesOf(await findings())).toEqual([['work for sweeps', 'problem']]);
    expect(statesOf(await findings(true))).toEqual([['work for sweeps', 'mended']]);
    await expect(get(holder)).rejects.toMatchObject({ code: 'turn_not_found' });
  });

  it('asks before it ends turns of a Temporal that knows none of them', async () => {
    const turn = await startedTurn();
    starter.otherwise = 'not_found';
    expect((await findings(true))['turns']).toMatchObject({ state: 'problem' });
    expect(await get(turn)).toMatchObject({ state: 'started' });
    expect((await findings(true, true))['turns']).toMatchObject({ state: 'mended' });
    expect(await get(turn)).toMatchObject({ reason: 'workflow_lost' });
  });

  it('never terminates workflows of turns that the database does not know', async () => {
    starter.listed.turn.push(UNKNOWN);
    const found = await findings(true);
    expect(found['workflows of unknown turns']).toMatchObject({
      state: 'problem',
      examples: [UNKNOWN],
    });
    expect(starter.terminated).toEqual([]);
  });

  it('says what it could not look at', async () => {
    await startedTurn();
    starter.away = true;
    expect(statesOf(await findings())).toEqual([
      ['turns', 'problem'],
      ['workflows of ended turns', 'problem'],
      ['workflows of unknown turns', 'problem'],
    ]);
  });
});

describe('after a restore', () => {
  it('says what it would do, ends all that was open and all that runs unknown, and nothing when run again', async () => {
    const open = await startedTurn();
    const { holder, queued } = await queuedTurn();
    starter.listed.turn.push(open.id, UNKNOWN);
    expect(await beforeRestore(parts)).toEqual({ turns: 3, workflows: 1 });
    const done = await afterRestore(parts);
    expect(done).toEqual({ sealed: 3, terminated: 2, freed: 0, failed: 0 });
    expect(starter.terminated.sort()).toEqual([open.id, UNKNOWN].sort());
    for (const turn of [open, holder, queued])
      expect(await get(turn)).toMatchObject({ status: 'failed', reason: 'restored' });
    expect(starter.started).toEqual([]);
    for (const ids of Object.values(starter.listed)) ids.length = 0;
    expect(await afterRestore(parts)).toEqual({ sealed: 0, terminated: 0, freed: 0, failed: 0 });
  });

  it('ends summaries and ingestions, which start again, and compensations of unknown turns', async () => {
    const known = await startedTurn();
    const { listed, terminated } = starter;
    listed.compensate.push(`compensate:${known.id}`, `compensate:${UNKNOWN}`);
    listed.summarize.push(`summary:${known.conversationId}`);
    listed.ingest.push(`ingest:${UNKNOWN}`);
    await afterRestore(parts);
    expect(terminated.sort()).toEqual(
      [`compensate:${UNKNOWN}`, `ingest:${UNKNOWN}`, `summary:${known.conversationId}`].sort(),
    );
  });

  it('is to be run again when Temporal did not do its part', async () => {
    await startedTurn();
    starter.listed.turn.push(UNKNOWN);
    vi.spyOn(starter, 'terminate').mockRejectedValue(new Error('away'));
    expect(await afterRestore(parts)).toMatchObject({ sealed: 1, terminated: 0, failed: 1 });
  });
});
