import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import type { JsonObject } from '../../src/contracts/json.ts';
import { closeGateway } from '../../src/gateway/listen.ts';
import { readEvents } from '../support/reading.ts';
import { heldAnswer, newTalk, resultOf, say, SOON, untilShown } from '../support/talk.ts';
import {
  call,
  connectionsOf,
  openGateway,
  refusal,
  useGateway,
  type TestGateway,
} from './use-gateway.ts';

const TEXT = 'Beavers build dams, lodges and canals.';

const { world, gateway } = useGateway();

interface Reader {
  socket: WebSocket;
  messages: JsonObject[];
  /** The close code, once it is closed. */
  closed: Promise<number>;
}

function openSocket(
  { url }: Pick<TestGateway, 'url'>,
  turnId: string,
  query = '',
  options: ClientOptions = {},
): Reader {
  const address = `${url.replace('http', 'ws')}/api/turns/${turnId}/socket${query}`;
  const socket = new WebSocket(address, options);
  const messages: JsonObject[] = [];
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as JsonObject));
  const closed = once(socket, 'close').then(([code]) => code as number);
  // A handshake that is refused is an error of the socket.
  closed.catch(() => undefined);
  return { socket, messages, closed };
}

async function startHeld() {
  await world().offline.script([heldAnswer(TEXT)]);
  const turn = await say(world(), await newTalk(world()));
  await untilShown(world(), turn);
  return turn;
}

describe('a WebSocket on a turn', () => {
  it('has the events of the log, and closes when the turn has ended', async () => {
    const turn = await startHeld();
    const early = openSocket(gateway(), turn.id);
    await vi.waitFor(() => expect(early.messages.length).toBeGreaterThan(3), SOON);
    await world().offline.release();
    expect(await early.closed).toBe(1000);

    const logged = await readEvents(world().turnkeeper, turn.id);
    const expected = logged.map(({ number, event }) => ({ number, event }));
    expect(early.messages).toEqual(expected);
    const later = openSocket(gateway(), turn.id, '?after=3');
    expect(await later.closed).toBe(1000);
    expect(later.messages).toEqual(expected.slice(3));
  });

  it('takes a cancellation, and shows the turn end', async () => {
    const turn = await startHeld();
    const { socket, messages, closed } = openSocket(gateway(), turn.id);
    await once(socket, 'open');
    socket.send('{ "type": "cancel" }');
    socket.send('{ "type": "cancel" }');
    expect(await closed).toBe(1000);
    expect(messages.at(-1)?.['event']).toMatchObject({ type: 'turn.done', status: 'cancelled' });
    expect((await resultOf(world(), turn)).status).toBe('cancelled');
  });

  it('is closed on a reader that has gone without a word', async () => {
    const turn = await startHeld();
    const timing = { heartbeatMs: 50, stallMs: 60_000 };
    const attentive = await openGateway({ clientFor: () => world().turnkeeper, timing });
    const gone = openSocket(attentive, turn.id, '', { autoPong: false });
    const here = openSocket(attentive, turn.id);
    expect(await gone.closed).toBe(1006);
    expect(here.socket.readyState).toBe(WebSocket.OPEN);
    await closeGateway(attentive.app);
    await world().turnkeeper.turns.cancel(turn.id);
  });

  it.each([
    ['that is not JSON', 'cancel', 4400, 'invalid_request'],
    ['that is JSON and nothing more', 'null', 4400, 'invalid_request'],
    ['of an unknown type', '{"type":"restart"}', 4400, 'invalid_request'],
    ['of bytes', Buffer.from('{"type":"cancel"}'), 4400, 'invalid_request'],
    ['over the limit', `{"type":"${'x'.repeat(65_536)}"}`, 4413, 'input_too_large'],
  ])('refuses a message %s and closes; the turn goes on', async (_, message, code, error) => {
    const turn = await startHeld();
    const { socket, messages, closed } = openSocket(gateway(), turn.id);
    await once(socket, 'open');
    socket.send(message);
    expect(await closed).toBe(code);
    expect(messages.at(-1)).toMatchObject(refusal(error));
    await world().offline.release();
    expect((await resultOf(world(), turn)).status).toBe('completed');
  });

  it('does not even read a message of megabytes', async () => {
    const turn = await startHeld();
    const { socket, closed } = openSocket(gateway(), turn.id);
    await once(socket, 'open');
    socket.send('x'.repeat(2_000_000));
    expect(await closed).toBe(1009);
    await world().offline.release();
  });

  it.each(['-1', 'abc', '1.5'])('is told over the socket that after=%s is none', async (after) => {
    const { messages, closed } = openSocket(gateway(), randomUUID(), `?after=${after}`);
    expect(await closed).toBe(4400);
    expect(messages).toMatchObject([refusal('invalid_request', { field: 'after' })]);
  });

  it('is told of unknown turns and of those of other tenants that there is none', async () => {
    const turn = await startHeld();
    const sockets = [
      openSocket(gateway(), turn.id, '', { headers: { 'x-tenant': 'other' } }),
      openSocket(gateway(), randomUUID()),
      openSocket(gateway(), 'nobody'),
    ];
    for (const { messages, closed } of sockets) {
      expect(await closed).toBe(4404);
      expect(messages).toMatchObject([refusal('turn_not_found')]);
    }
    await world().offline.release();
  });

  it('is not opened by a page of another site', async () => {
    const { socket } = openSocket(gateway(), randomUUID(), '', {
      headers: { origin: 'https://evil.example' },
    });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('403');
  });

  it.each([
    ['of a page of another site', `/api/turns/${randomUUID()}/socket`, 'https://evil.example'],
    ['to a route that is not there', '/api/nowhere', undefined],
    ['to a path that is none', '/api/turns/%zz/socket', undefined],
  ])('that is refused %s leaves no connection behind', async (_, path, origin) => {
    const refusing = await openGateway({ clientFor: () => world().turnkeeper });
    const headers = origin === undefined ? {} : { origin };
    const socket = new WebSocket(`${refusing.url.replace('http', 'ws')}${path}`, { headers });
    await once(socket, 'error');
    await vi.waitFor(async () => expect(await connectionsOf(refusing)).toBe(0), SOON);
    await closeGateway(refusing.app);
  });

  it('closes with 1012 when the server goes, for its reader to come back', async () => {
    const turn = await startHeld();
    const leaving = await openGateway({ clientFor: () => world().turnkeeper });
    const { socket, closed } = openSocket(leaving, turn.id);
    await once(socket, 'open');
    await closeGateway(leaving.app);
    expect(await closed).toBe(1012);
    await world().offline.release();
  });

  it('is what the route is for: without an upgrade it says so', async () => {
    const { status, body } = await call(gateway(), 'GET', `/api/turns/${randomUUID()}/socket`);
    expect([status, body]).toMatchObject([400, refusal('invalid_request', { field: 'upgrade' })]);
  });
});
