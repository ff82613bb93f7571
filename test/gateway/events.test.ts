import { randomUUID } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { closeGateway } from '../../src/gateway/listen.ts';
import { readEvents } from '../support/reading.ts';
import { answer, heldAnswer, newTalk, resultOf, say, SOON, untilShown } from '../support/talk.ts';
import { openSse, readSse, shownBy } from './read-sse.ts';
import { call, openGateway, refusal, useGateway } from './use-gateway.ts';

const TEXT = 'Beavers build dams, lodges and canals, and they do it at night.';
const HEARTBEAT_MS = 50;

const { world, gateway } = useGateway({
  timing: { heartbeatMs: HEARTBEAT_MS, stallMs: 60_000 },
  maxStreams: 3,
});

async function endedTurn() {
  await world().offline.script([answer(TEXT)]);
  const turn = await say(world(), await newTalk(world()));
  await resultOf(world(), turn);
  return turn;
}

async function heldTurn() {
  await world().offline.script([heldAnswer(TEXT)]);
  const turn = await say(world(), await newTalk(world()));
  await untilShown(world(), turn);
  return turn;
}

/** A stream, once there is a place for it. */
async function openFree(turnId: string) {
  return await vi.waitFor(async () => {
    const stream = await openSse(eventsUrl(turnId));
    expect(stream.status).toBe(200);
    return stream;
  }, SOON);
}

const eventsUrl = (turnId: string, after = '') =>
  `${gateway().url}/api/turns/${turnId}/events${after}`;

describe('the event stream of a turn', () => {
  it('has every event with number, type and itself, and ends with the turn', async () => {
    await world().offline.script([heldAnswer(TEXT)]);
    const turn = await say(world(), await newTalk(world()));
    const stream = await openSse(eventsUrl(turn.id));
    await untilShown(world(), turn);
    await world().offline.release();
    const events = await stream.ended;

    const logged = await readEvents(world().turnkeeper, turn.id);
    expect(events).toEqual(
      logged.map(({ number, event }) => ({ id: number, event: event.type, data: event })),
    );
    expect(shownBy(events)).toBe(TEXT);
    expect(stream.retries).toEqual([1_000]);
    expect(Object.fromEntries(stream.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
  });

  it('goes on behind every number of a turn, and gives exactly the rest', async () => {
    const turn = await endedTurn();
    const whole = await readSse(eventsUrl(turn.id));
    expect(shownBy(whole)).toBe(TEXT);
    for (const { id } of whole.slice(0, -1)) {
      const rest = await readSse(eventsUrl(turn.id), { 'last-event-id': String(id) });
      expect([...whole.slice(0, id), ...rest], `behind ${id}`).toEqual(whole);
    }
  });

  it('goes on behind every number of a turn that is still running', async () => {
    const turn = await heldTurn();
    const { sql, offline } = world();
    const shown = await sql('SELECT 1 FROM turnkeeper.events WHERE turn_id = $1', [turn.id]);
    const readers = [];
    for (let after = 0; after <= shown.length; after += Math.ceil(shown.length / 2)) {
      readers.push({ after, stream: await openSse(eventsUrl(turn.id, `?after=${after}`)) });
    }
    await offline.release();
    const rests = await Promise.all(readers.map(({ stream }) => stream.ended));
    const whole = await readSse(eventsUrl(turn.id));
    for (const [index, { after }] of readers.entries()) {
      expect([...whole.slice(0, after), ...(rests[index] ?? [])], `behind ${after}`).toEqual(whole);
    }
  });

  it('begins behind the number of the header where both are given', async () => {
    const turn = await endedTurn();
    const events = await readSse(eventsUrl(turn.id, '?after=1'), { 'last-event-id': '4' });
    expect(events[0]?.id).toBe(5);
    const asked = await readSse(eventsUrl(turn.id, '?after=1'));
    expect(asked[0]?.id).toBe(2);
  });

  it('has comments now and then while nothing happens', async () => {
    const turn = await heldTurn();
    const stream = await openSse(eventsUrl(turn.id));
    await vi.waitFor(() => expect(stream.comments.length).toBeGreaterThan(2), SOON);
    await world().offline.release();
    expect(shownBy(await stream.ended)).toBe(TEXT);
  });

  it('is over behind the last number of a turn that has ended: 204', async () => {
    const turn = await endedTurn();
    const last = (await readEvents(world().turnkeeper, turn.id)).length;
    const path = `/api/turns/${turn.id}/events?after=${last}`;
    const { status, body } = await call(gateway(), 'GET', path);
    expect([status, body]).toEqual([204, {}]);
  });

  it('gives up the turn of a reader that has gone, and its place', async () => {
    const turn = await heldTurn();
    for (let round = 0; round < 3; round++) {
      const streams = await Promise.all([1, 2, 3].map(() => openFree(turn.id)));
      const { status, body } = await call(gateway(), 'GET', `/api/turns/${turn.id}/events`);
      expect([status, body]).toMatchObject([503, refusal('too_many_streams', { max: 3 })]);
      for (const stream of streams) stream.stop();
    }
    await world().offline.release();
    expect((await resultOf(world(), turn)).status).toBe('completed');
  });

  it('ends cleanly when the server does, and another server has the rest', async () => {
    const turn = await heldTurn();
    const leaving = await openGateway({ clientFor: () => world().turnkeeper });
    const stream = await openSse(`${leaving.url}/api/turns/${turn.id}/events`);
    await vi.waitFor(() => expect(shownBy(stream.events)).not.toBe(''), SOON);
    await closeGateway(leaving.app);
    const before = await stream.ended;
    await world().offline.release();
    const after = await readSse(eventsUrl(turn.id, `?after=${before.at(-1)?.id}`));
    expect(shownBy([...before, ...after])).toBe(TEXT);
  });
});

describe('a reader that asks for what is not there', () => {
  it.each(['-1', '1.5', 'abc', '', '9007199254740992', '1&after=2', '1e99'])(
    'is refused with after=%s',
    async (after) => {
      const turn = await endedTurn();
      const path = `/api/turns/${turn.id}/events?after=${after}`;
      const { status, body } = await call(gateway(), 'GET', path);
      expect([status, body]).toMatchObject([400, refusal('invalid_request', { field: 'after' })]);
    },
  );

  it.each(['-1', 'abc', '1.5', '1e99', '9007199254740992'])(
    'is refused with Last-Event-ID %s',
    async (id) => {
      const turn = await heldTurn();
      const headers = { 'last-event-id': id };
      const answered = await call(gateway(), 'GET', `/api/turns/${turn.id}/events`, { headers });
      const { status, body } = answered;
      expect([status, body]).toMatchObject([
        400,
        refusal('invalid_request', { field: 'last-event-id' }),
      ]);
      await world().turnkeeper.turns.cancel(turn.id);
    },
  );

  it('is refused beyond the last event, while the turn runs and when it has ended', async () => {
    const turn = await heldTurn();
    const refused = async () => {
      const path = `/api/turns/${turn.id}/events?after=1000`;
      const { status, body } = await call(gateway(), 'GET', path);
      expect([status, body]).toMatchObject([400, refusal('invalid_request', { field: 'after' })]);
    };
    await refused();
    await world().turnkeeper.turns.cancel(turn.id);
    await refused();
  });

  it('is told of an unknown turn, and of one of another tenant, in the same words', async () => {
    const turn = await endedTurn();
    const unknown = randomUUID();
    const headers = { 'x-tenant': 'other' };
    const foreign = await call(gateway(), 'GET', `/api/turns/${turn.id}/events`, { headers });
    const nobodys = await call(gateway(), 'GET', `/api/turns/${unknown}/events`);
    for (const { status, body } of [foreign, nobodys]) {
      expect([status, body]).toMatchObject([404, refusal('turn_not_found')]);
    }
    const text = JSON.stringify(foreign.body).replaceAll(turn.id, unknown);
    expect(text).toBe(JSON.stringify(nobodys.body));
  });
});
