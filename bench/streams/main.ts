/**
 * Streams at once, beside a plain proxy of the model's stream, and the gap of a deploy:
 *
 *     npm run bench:streams -- [--streams 25,50,100,200] [--out docs/results/streams-at-once.md]
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startChild, type OwnChild } from '../../src/dev/child.ts';
import { progress } from '../progress.ts';
import { describeMachine } from '../versions.ts';
import { DELTAS_OF_AN_ANSWER, measureHandover, type Handover } from './handover.ts';
import { measureProxy, measureService, type StreamFigures } from './latency.ts';
import { reportOf } from './report.ts';
import { startService } from './service.ts';

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '25,50,100,200' },
    out: { type: 'string', default: 'docs/results/streams-at-once.md' },
  },
});
const counts = values.streams.split(',').map(Number);

function startScript(name: string, args: string[]): Promise<OwnChild> {
  return startChild({ name, script: new URL(`./${name}-main.ts`, import.meta.url), args });
}

async function measureStreams(model: OwnChild, modelUrl: string) {
  const proxy = await startScript('proxy', [modelUrl]);
  const service = await startService(modelUrl, 'foreground');
  const rows: { proxy: StreamFigures; service: StreamFigures }[] = [];
  try {
    const behind = { url: String(proxy.ready['listening']), pid: proxy.pid };
    await measureService(service, 1);
    for (const streams of counts) {
      progress(`${streams} streams at once`);
      rows.push({
        proxy: await measureProxy(behind, streams),
        service: await measureService(service, streams),
      });
    }
    return rows;
  } finally {
    await Promise.all([proxy.stop(), service.stop()]);
  }
}

const model = await startScript('model', ['--deltas', String(DELTAS_OF_AN_ANSWER)]);
try {
  const modelUrl = String(model.ready['listening']);
  const startedAt = new Date();
  const rows = await measureStreams(model, modelUrl);
  const handovers: Handover[] = [];
  for (const generation of ['foreground', 'background']) {
    progress(`a deploy in mid-answer, ${generation}`);
    handovers.push(await measureHandover(modelUrl, generation));
  }
  const report = reportOf(rows, handovers, { startedAt, machine: describeMachine() });
  await writeFile(values.out, report);
  process.stdout.write(report);
} finally {
  await model.stop();
}
