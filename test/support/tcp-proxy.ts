import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Stands between a client and a server of ours, so that a test can take the server away. */
export interface TcpProxy {
  /** `host:port` for the client. */
  address: string;
  /** The same URL, by way of the proxy. */
  through(url: string): string;
  /** Breaks every connection and refuses new ones. */
  cut(): void;
  restore(): void;
  /** New connections go to this `host:port`. */
  retarget(target: string): void;
  /** From now on what servers answer is lost on the way, until the connections are cut. */
  loseAnswers(): void;
  /** Connections that are open carry nothing any more, and neither end is told; new ones work. */
  freeze(): void;
  /** How often clients have spoken so far after their server had, or first of all. */
  roundTrips(): number;
  /** Cut for so long, milliseconds. */
  outage(ms: number): Promise<void>;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';

/** `target` is `host:port`. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  let { hostname, port } = new URL(`tcp://${target}`);
  const sockets = new Set<Socket>();
  let isCut = false;
  let answersPass = true;
  let roundTrips = 0;
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  // The port stays ours while it refuses: somebody else could take it.
  const server = createServer((client) => {
    track(client);
    if (isCut) return void client.resetAndDestroy();
    const upstream = connect(Number(port), hostname);
    track(upstream);
    client.pipe(upstream);
    let clientSpoke = false;
    client.on('data', () => {
      if (!clientSpoke) roundTrips += 1;
      clientSpoke = true;
    });
    upstream.on('data', (data) => {
      clientSpoke = false;
      if (answersPass) client.write(data);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const address = `${HOST}:${(server.address() as AddressInfo).port}`;
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const restore = () => {
    isCut = false;
    answersPass = true;
  };
  return {
    address,
    through(url) {
      const way = new URL(url);
      way.host = address;
      return way.href;
    },
    cut,
    restore,
    retarget(next) {
      ({ hostname, port } = new URL(`tcp://${next}`));
    },
    loseAnswers() {
      answersPass = false;
    },
    freeze() {
      for (const socket of sockets) socket.pause();
    },
    roundTrips: () => roundTrips,
    async outage(ms) {
      cut();
      await delay(ms);
      restore();
    },
    async stop() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
