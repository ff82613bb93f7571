/** The world outside: keeps every request that it gets, and lists them. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Entry } from './counters.ts';

const entries: Entry[] = [];
const server = createServer((request, response) => {
  const answer = () => response.end(JSON.stringify(entries));
  if (request.method === 'GET') return void answer();
  const keep = (entry: unknown) => void entries.push(entry as Entry);
  // What was cut off on its way has not come.
  json(request)
    .then(keep)
    .then(answer, () => response.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ listening: `http://127.0.0.1:${String(port)}` })}\n`);
});
