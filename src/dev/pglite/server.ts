import type { PGlite } from '@electric-sql/pglite';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { ENCRYPTION_REFUSED, fatal } from './backend.ts';
import { FrontendParser } from './frontend.ts';
import type { FrontendEvent } from './frontend.ts';
import { shareSession } from './session.ts';
import { OwnStatements } from './statements.ts';
import type { Session, SessionClient } from './session.ts';

const HOST = '127.0.0.1';
const MAX_CONNECTIONS = 100;
/** Long enough for a busy event loop, short enough that a paused process does not stop the others for good. */
const IDLE_IN_TRANSACTION_MS = 10_000;

export interface PgliteServer {
  port: number;
  /** Ends all connections, after the statement that is running. */
  close(): Promise<void>;
}

/** Serves `db` over PostgreSQL's wire protocol on the loopback interface; port 0 picks a free one. */
export async function servePglite(
  db: PGlite,
  options: { port: number; onBroken: (error: Error) => void },
): Promise<PgliteServer> {
  const session = await shareSession(db, {
    idleInTransactionMs: IDLE_IN_TRANSACTION_MS,
    onBroken: options.onBroken,
  });
  const clients = new Set<SessionClient>();
  let connections = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    connections += 1;
    connect(socket, { session, clients, statements: new OwnStatements(connections) });
  });
  await listen(server, options.port);
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      await session.close();
      for (const client of clients) client.end(fatal('57P01', 'the database is shutting down'));
      await closed;
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

interface Connection {
  session: Session;
  clients: Set<SessionClient>;
  statements: OwnStatements;
}

function connect(socket: Socket, { session, clients, statements }: Connection): void {
  const parser = new FrontendParser(statements);
  const client: SessionClient = {
    send: (bytes) => void socket.write(bytes),
    end: (bytes) => {
      session.leave(client);
      socket.end(bytes, () => socket.destroy());
    },
  };
  const greeting = clients.size < MAX_CONNECTIONS ? session.greeting : null;
  clients.add(client);
  socket.on('data', (data) => {
    try {
      for (const event of parser.push(data)) answer(event, client, session, greeting);
    } catch (error) {
      client.end(fatal('08P01', String(error)));
    }
  });
  // A reset connection reports an error first; what matters is the close that follows.
  socket.on('error', () => undefined);
  socket.on('close', () => {
    clients.delete(client);
    session.leave(client);
    const farewell = statements.farewell();
    if (farewell) session.submit(NOBODY, { bytes: farewell, synced: true });
  });
}

/** In line for what the server itself wants of the session. */
const NOBODY: SessionClient = { send: () => undefined, end: () => undefined };

function answer(
  event: FrontendEvent,
  client: SessionClient,
  session: Session,
  greeting: Buffer | null,
): void {
  if (event.kind === 'encryption') client.send(ENCRYPTION_REFUSED);
  else if (event.kind === 'unit') session.submit(client, event);
  else if (event.kind === 'startup' && greeting) client.send(greeting);
  else if (event.kind === 'startup') client.end(fatal('53300', 'sorry, too many clients already'));
  else client.end(Buffer.alloc(0));
}
