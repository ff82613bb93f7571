/**
 * What Turnkeeper's streams are compared with: hands the model's stream on and keeps nothing. Prints `{"listening": URL}`.
 *
 *     tsx bench/streams/proxy-main.ts http://127.0.0.1:PORT/v1
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';

const [upstream = ''] = process.argv.slice(2);

const server = createServer((_, answer) => {
  void (async () => {
    const stream = await fetch(`${upstream}/responses`, { method: 'POST', body: '{}' });
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    Readable.fromWeb(stream.body as ReadableStream).pipe(answer);
  })();
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ listening: `http://127.0.0.1:${port}` })}\n`);
});
