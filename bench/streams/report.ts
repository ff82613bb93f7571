import { DELTAS_OF_AN_ANSWER, type Handover } from './handover.ts';
import type { Latency, StreamFigures } from './latency.ts';

/** Of the highest number of streams that counts. */
const GOOD_P95_MS = 250;

interface Row {
  proxy: StreamFigures;
  service: StreamFigures;
}

export function reportOf(
  rows: Row[],
  handovers: Handover[],
  { startedAt, machine }: { startedAt: Date; machine: string },
): string {
  const good = rows.filter(({ service }) => (service.fromAppend?.p95 ?? NaN) < GOOD_P95_MS);
  const most = Math.max(0, ...good.map(({ service }) => service.streams));
  return `# Streams at once

\`npm run bench:streams\`, ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, on ${machine}; model, readers, PostgreSQL and Temporal's
development server run on the same processors. Each stream is an answer of ${DELTAS_OF_AN_ANSWER} deltas, 50 a second. One worker, one gateway;
beside them a proxy that hands the model's stream on and keeps nothing. Milliseconds, p50 / p95.

| streams | model to reader, proxy | model to reader, Turnkeeper | append to reader | worker | gateway | PostgreSQL | proxy |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.map(rowOf).join('\n')}

Processes: share of one processor, and resident memory. The most streams with p95 from append to reader under ${GOOD_P95_MS} ms: **${most}**.

## A deploy in mid-answer

The worker gets SIGTERM while ${handovers[0]?.streams ?? 0} answers are under way and another worker is there.

| generation | longest gap that a reader saw, median | worst | answers begun anew |
| --- | ---: | ---: | ---: |
${handovers.map(handoverRow).join('\n')}
`;
}

function rowOf({ proxy, service }: Row): string {
  const process = (figures: StreamFigures, name: string) => {
    const found = figures.processes.find((each) => each.name === name);
    if (!found) return '–';
    return `${Math.round(found.cpu * 100)} %, ${Math.round(found.bytes / 2 ** 20)} MB`;
  };
  const cells = [
    service.streams,
    latency(proxy.whole),
    latency(service.whole),
    service.fromAppend ? latency(service.fromAppend) : '–',
    ...['worker', 'gateway', 'database'].map((name) => process(service, name)),
    process(proxy, 'gateway'),
  ];
  return `| ${cells.join(' | ')} |`;
}

function latency({ p50, p95 }: Latency): string {
  return `${p50.toFixed(0)} / ${p95.toFixed(0)}`;
}

function handoverRow({ generation, streams, gapMs, rewound }: Handover): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;
  return `| ${generation} | ${seconds(gapMs.median)} | ${seconds(gapMs.worst)} | ${rewound} of ${streams} |`;
}
