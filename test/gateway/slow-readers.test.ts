import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { Turn, TurnEvent } from '../../src/contracts/store.ts';
import { closeGateway } from '../../src/gateway/listen.ts';
import { SOON } from '../support/talk.ts';
import { readSse } from './read-sse.ts';
import { connectionsOf, openGateway, type TestGateway } from './use-gateway.ts';

const EVENTS = 20_000;
const TEXT = 'x'.repeat(2_000);
const turnId = randomUUID();

/** A turn of 40 megabytes, and how far its log was read. */
function longTurn() {
  const read = { events: 0, ended: 0 };
  async function* events(
    _: string,
    { after = 0, signal }: { after?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<TurnEvent> {
    try {
      for (let number = after + 1; number <= EVENTS; number++) {
        if (number % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
        signal?.throwIfAborted();
        read.events = number;
        const event = { type: 'response.output_text.delta', delta: TEXT };
        yield { number, step: null, event, createdAt: new Date() };
      }
    } finally {
      read.ended += 1;
    }
  }
  const get = () => Promise.resolve({ id: turnId, state: 'started' } as Turn);
  return { read, client: { turns: { get, events } } as unknown as Turnkeeper };
}

let gateway: TestGateway | undefined;
let socket: Socket | undefined;

afterEach(async () => {
  socket?.destroy();
  if (gateway) await closeGateway(gateway.app);
  gateway = undefined;
});

/** Sends a request, and reads nothing of its answer. */
async function askWithoutReading(url: string, headers: string[] = []): Promise<Socket> {
  const { hostname, port, pathname } = new URL(url);
  const opened = connect({ host: hostname, port: Number(port) });
  await once(opened, 'connect');
  opened.pause();
  opened.on('error', () => undefined);
  const lines = [`GET ${pathname} HTTP/1.1`, `Host: ${hostname}:${port}`, ...headers];
  opened.write(`${lines.join('\r\n')}\r\n\r\n`);
  return opened;
}

async function untilStill(value: () => number): Promise<number> {
  let last = -1;
  await vi.waitFor(
    () => {
      const now = value();
      const still = now > 0 && now === last;
      last = now;
      expect(still).toBe(true);
    },
    { timeout: 30_000, interval: 500 },
  );
  return last;
}

const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
];

describe.each([
  ['events', [] as string[]],
  ['socket', UPGRADE],
])('a reader of /%s that never reads', (route, headers) => {
  const address = () => `${gateway?.url}/api/turns/${turnId}/${route}`;

  it('has the log read no further than what is on its way, and is cut off', async () => {
    const { read, client } = longTurn();
    const timing = { heartbeatMs: 500, stallMs: 3_000 };
    const opened = await openGateway({ clientFor: () => client, timing });
    gateway = opened;
    socket = await askWithoutReading(address(), headers);
    // What the kernel takes for a connection on this machine, a few megabytes, and no more.
    expect(await untilStill(() => read.events)).toBeLessThan(EVENTS / 2);
    await vi.waitFor(() => expect(read.ended).toBe(1), SOON);
    await vi.waitFor(async () => expect(await connectionsOf(opened)).toBe(0), SOON);
  });

  it('does not keep the server from ending', { timeout: 15_000 }, async () => {
    const { read, client } = longTurn();
    const opened = await openGateway({ clientFor: () => client });
    socket = await askWithoutReading(`${opened.url}/api/turns/${turnId}/${route}`, headers);
    await untilStill(() => read.events);
    await closeGateway(opened.app);
    await vi.waitFor(() => expect(read.ended).toBe(1));
  });

  it('that goes away has its turn let go at once', async () => {
    const { read, client } = longTurn();
    gateway = await openGateway({ clientFor: () => client });
    socket = await askWithoutReading(address(), headers);
    await untilStill(() => read.events);
    expect(read.ended).toBe(0);
    socket.destroy();
    await vi.waitFor(() => expect(read.ended).toBe(1), SOON);
  });
});

describe('a reader that was slow', () => {
  it('has everything in the end', async () => {
    const { client } = longTurn();
    gateway = await openGateway({ clientFor: () => client });
    const events = await readSse(`${gateway.url}/api/turns/${turnId}/events`);
    expect(events.map(({ id }) => id)).toEqual(Array.from({ length: EVENTS }, (_, i) => i + 1));
  });
});
