import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { newOfflineModel } from './offline-model.ts';
import { offlineModelServer } from './server.ts';

/**
 * The offline model's process. Prints `{"listening":"http://127.0.0.1:PORT/v1"}` once it serves; ends on SIGTERM, on
 * SIGINT and, with `--exit-with-parent`, when its standard input closes.
 */
function main(): void {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      'delta-ms': { type: 'string', default: '15' },
      'exit-with-parent': { type: 'boolean', default: false },
    },
  });
  const server = offlineModelServer(newOfflineModel(wholeNumber('delta-ms', values['delta-ms'])));
  const stop = () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  if (values['exit-with-parent']) process.stdin.once('close', stop).resume();
  server.listen(wholeNumber('port', values.port), '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    process.stdout.write(
      `${JSON.stringify({ listening: `http://127.0.0.1:${String(port)}/v1` })}\n`,
    );
  });
}

function wholeNumber(name: string, value: string): number {
  if (!/^\d+$/.test(value)) throw new Error(`--${name} must be a whole number, not "${value}".`);
  return Number(value);
}

main();
