import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** Stands between a store and its database, and breaks connections at chosen points. */
export interface LossyProxy {
  /** The same database, through here. */
  url: string;
  /** The next request with this text is carried out; its answer is lost with the connection. */
  loseAnswerTo(text: string): void;
  /** The next request with this text is lost with the connection. */
  loseRequest(text: string): void;
  /** Breaks all connections, and new ones until `mend`. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

interface Loss {
  text: string;
  of: 'request' | 'answer';
}

export async function startLossyProxy(databaseUrl: string): Promise<LossyProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let isCut = false;
  let loss: Loss | undefined;

  function takeLoss(request: Buffer): Loss | undefined {
    const taken = loss && request.includes(loss.text) ? loss : undefined;
    if (taken) loss = undefined;
    return taken;
  }

  const server = createServer((client) => {
    if (isCut) return void client.destroy();
    const database = connect(Number(target.port), target.hostname);
    for (const socket of [client, database]) track(socket, sockets);
    client.on('close', () => database.destroy());
    database.on('close', () => client.destroy());
    let losing = false;
    client.on('data', (request) => {
      const taken = takeLoss(request);
      if (taken?.of === 'request') return void client.destroy();
      losing ||= taken !== undefined;
      database.write(request);
    });
    database.on('data', (answer) => {
      if (!losing) client.write(answer);
      else if (endsReady(answer)) client.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    loseAnswerTo: (text) => (loss = { text, of: 'answer' }),
    loseRequest: (text) => (loss = { text, of: 'request' }),
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => (isCut = false),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function track(socket: Socket, sockets: Set<Socket>): void {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  socket.on('error', () => undefined);
}

/** Whether it ends with a ReadyForQuery message. */
function endsReady(answer: Buffer): boolean {
  return answer.subarray(-6, -1).equals(Buffer.from([0x5a, 0, 0, 0, 5]));
}
