import { WorkflowNotFoundError } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { composeDoctor } from '../../src/compose-doctor.ts';
import { loadConfig } from '../../src/config.ts';
import type { Turn, TurnEvent } from '../../src/contracts/store.ts';
import { backUp, type Backup } from '../support/backup.ts';
import { turnkeeper } from '../support/command-line.ts';
import { readEvents } from '../support/reading.ts';
import {
  answer,
  closedAs,
  effectsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  resultOf,
  say,
  SOON,
  untilShown,
  type Talk,
} from '../support/talk.ts';
import { useWorkers } from '../support/use-workers.ts';
import { useWorld } from '../support/use-world.ts';
import { silent } from '../support/world.ts';
import { asking, untilWaiting } from '../support/waiting-turns.ts';

const TIMEOUT_MS = 180_000;

const world = useWorld();
const workers = useWorkers(() => world().startWorker());

interface Spoken {
  talk: Talk;
  turn: Turn;
}

async function spoken(...tools: string[]): Promise<Spoken> {
  const talk = await newTalk(world(), { tools });
  return { talk, turn: await say(world(), talk) };
}

/** What `turnkeeper doctor` says but of what is well. */
async function notWell({ fix = false } = {}): Promise<[check: string, state: string][]> {
  const { examine } = composeDoctor(silent, () => loadConfig(world().env));
  const found: [string, string][] = [];
  const confirm = () => Promise.resolve(false);
  for await (const { check, state } of examine({ fix, confirm }))
    if (state !== 'ok') found.push([check, state]);
  return found;
}

describe('a database that is restored from a backup', { timeout: TIMEOUT_MS }, () => {
  /** What was said around a backup: turns that were open in it, and turns that came after it. */
  interface Before {
    backup: Backup;
    /** Under way at the backup; completed since. */
    ended: Spoken & { events: TurnEvent[] };
    /** Waits for an approval, before and since; another turn waits behind it. */
    waiting: Spoken & { queued: Turn };
    /** Came after the backup, and has completed. */
    since: Spoken;
    /** Came after the backup, and runs. */
    running: Spoken;
  }

  const SINCE = { input: 'Since.', idempotencyKey: randomUUID() };

  async function before(): Promise<Before> {
    const { offline, turnkeeper: client, databaseUrl } = world();
    await offline.script([
      asking({ transfer: { amount: 5 } }),
      heldAnswer('That took a while.'),
      answer('Since then.'),
      heldAnswer('Still at it.'),
    ]);
    const waiting = await spoken('transfer');
    await untilWaiting(world(), waiting.turn);
    const queued = await client.turns.start({
      ...waiting.talk,
      input: 'And then?',
      whenBusy: 'enqueue',
    });
    const ended = await spoken();
    await untilShown(world(), ended.turn);
    const later = await newTalk(world());
    const last = await newTalk(world());

    const backup = await backUp(databaseUrl);
    await offline.release();
    await resultOf(world(), ended.turn);
    const events = await readEvents(client, ended.turn.id);
    const since = { talk: later, turn: await client.turns.start({ ...later, ...SINCE }) };
    await resultOf(world(), since.turn);
    const running = { talk: last, turn: await say(world(), last) };
    await untilShown(world(), running.turn);
    return {
      backup,
      ended: { ...ended, events },
      waiting: { ...waiting, queued },
      since,
      running,
    };
  }

  it('lets the next request on each conversation through, shows no number twice, and leaves no reader waiting', async () => {
    const worker = await workers.next();
    const { backup, ended, waiting, since, running } = await before();
    worker.kill('SIGKILL');
    await worker.exited;
    await backup.restore();
    await backup.remove();

    const { turnkeeper: client, env } = world();
    const done = await turnkeeper(['doctor', '--restored', '--yes', '--json'], env);
    expect([done.code, JSON.parse(done.stdout)]).toEqual([
      0,
      { ok: true, sealed: 3, terminated: 2, freed: 0, failed: 0 },
    ]);

    for (const turn of [ended.turn, waiting.turn, waiting.queued])
      expect(await client.turns.get(turn.id)).toMatchObject({
        status: 'failed',
        reason: 'restored',
      });
    for (const { turn } of [waiting, running])
      expect(await closedAs(world(), turn)).toBe('TERMINATED');

    // Whoever had read to the end of what is forgotten gets another end, under a number of its own.
    const known = ended.events.at(-1)?.number ?? 0;
    const rest: TurnEvent[] = [];
    for await (const event of client.turns.events(ended.turn.id, { after: known }))
      rest.push(event);
    expect(rest.map(({ event }) => event.type)).toEqual(['turn.done']);
    const again = await readEvents(client, ended.turn.id);
    const first = new Map(ended.events.map(({ number, event }) => [number, event]));
    for (const { number, event } of again)
      expect(first.get(number) ?? event, `event ${number}`).toEqual(event);
    for (const { turn } of [since, running])
      await expect(readEvents(client, turn.id)).rejects.toMatchObject({ code: 'turn_not_found' });

    const next = await workers.next();
    for (const { talk } of [ended, waiting, since, running]) await expectNextTurn(world(), talk);
    expect(effectsOf(world(), waiting.turn)).toEqual([]);

    // A key that was forgotten names a turn that Temporal has run: it is not run again, and stands in nobody's way.
    await world().offline.script([answer('Not asked for.')]);
    const repeated = await client.turns.start({ ...since.talk, ...SINCE });
    expect(repeated.id).toBe(since.turn.id);
    expect(await resultOf(world(), repeated)).toMatchObject({
      status: 'failed',
      reason: 'workflow_lost',
    });
    await expectNextTurn(world(), since.talk);

    expect(await notWell()).toEqual([]);
    workers.keep(next);
  });
});

describe('a running workflow that an operator', { timeout: TIMEOUT_MS }, () => {
  async function runningTurn(): Promise<Spoken> {
    const turn = await spoken();
    await untilShown(world(), turn.turn);
    return turn;
  }

  it('terminates leaves a conversation that takes the next request', async () => {
    const worker = await workers.next();
    await world().offline.script([heldAnswer('Nobody reads this.')]);
    const { talk, turn } = await runningTurn();
    await world().temporal.workflow.getHandle(turn.id).terminate('by hand');
    await expectNextTurn(world(), talk);
    expect(await resultOf(world(), turn)).toMatchObject({ reason: 'workflow_lost' });
    workers.keep(worker);
  });

  it('deletes leaves a conversation that takes the next request', async () => {
    const worker = await workers.next();
    await world().offline.script([heldAnswer('Nobody reads this.')]);
    const { talk, turn } = await runningTurn();
    const { workflow, workflowService } = world().temporal;
    const workflowExecution = { workflowId: turn.id };
    await workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution });
    const handle = workflow.getHandle(turn.id);
    const described = () => handle.describe().catch((error: unknown) => error);
    await expect.poll(described, SOON).toBeInstanceOf(WorkflowNotFoundError);
    await expectNextTurn(world(), talk);
    expect(await resultOf(world(), turn)).toMatchObject({ reason: 'workflow_lost' });
    workers.keep(worker);
  });

  it('resets answers all the same, and its conversation takes the next request', async () => {
    const worker = await workers.next();
    await world().offline.script([heldAnswer('Nobody reads this.'), answer('From the start.')]);
    const { talk, turn } = await runningTurn();
    const { workflow, workflowService } = world().temporal;
    const handle = workflow.getHandle(turn.id);
    const { events } = await handle.fetchHistory();
    const begun = events?.find((event) => event.workflowTaskCompletedEventAttributes);
    const { runId } = await handle.describe();
    await workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: turn.id, runId },
      reason: 'by hand',
      requestId: randomUUID(),
      workflowTaskFinishEventId: begun?.eventId ?? null,
    });
    expect(await resultOf(world(), turn)).toMatchObject({
      status: 'completed',
      answer: 'From the start.',
    });
    const numbers = (await readEvents(world().turnkeeper, turn.id)).map(({ number }) => number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });

  it('finds ended in the database alone is ended by the doctor, and its conversation takes the next request', async () => {
    const worker = await workers.next();
    await world().offline.script([asking({ transfer: { amount: 5 } })]);
    const { talk, turn } = await spoken('transfer');
    await untilWaiting(world(), turn);
    await world().sql(
      `UPDATE turnkeeper.turns SET state = 'sealed', status = 'failed', sealed_at = now() - interval '1 hour' WHERE id = $1`,
      [turn.id],
    );
    const mended = await notWell({ fix: true });
    expect(mended).toContainEqual(['steps and actions', 'mended']);
    expect(mended).toContainEqual(['conversations', 'mended']);
    // The list of what runs is some seconds behind, and the worker or the workflow may come before the doctor.
    const status = async () => {
      await notWell({ fix: true });
      return (await world().temporal.workflow.getHandle(turn.id).describe()).status.name;
    };
    await expect.poll(status, SOON).not.toBe('RUNNING');
    expect(await notWell()).toEqual([]);
    await expectNextTurn(world(), talk);
    workers.keep(worker);
  });
});
