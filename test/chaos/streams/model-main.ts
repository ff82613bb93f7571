/**
 * The model of the stage. Its script and what it has been asked are files, so that it goes on with them after a kill. The
 * script is read for each request: none of its steps is ever used up.
 *
 *     model-main.ts SCRIPT CREATES
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Json } from '../../../src/contracts/json.ts';
import { newOfflineModel } from '../../../src/dev/offline-model/offline-model.ts';
import { readScript, Script } from '../../../src/dev/offline-model/script.ts';
import { offlineModelServer } from '../../../src/dev/offline-model/server.ts';
import { RecordedResponses } from './creates.ts';

const [, , scriptFile = '', createsFile = ''] = process.argv;
const server = offlineModelServer({
  ...newOfflineModel(0),
  get script() {
    return new Script(readScript(JSON.parse(readFileSync(scriptFile, 'utf8')) as Json));
  },
  responses: new RecordedResponses(createsFile),
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ listening: `http://127.0.0.1:${String(port)}/v1` })}\n`);
});
