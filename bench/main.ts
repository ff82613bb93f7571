/** `npm run bench -- [--quick | --smoke] [--only name,name] [--out file]` */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { childEnvironment, readCacheDir } from '../src/config.ts';
import { readPath } from '../src/config/readers.ts';
import { findTemporalCli } from '../src/dev/temporal-cli.ts';
import { CONTESTANT_NAMES, type ContestantName } from './contestants/index.ts';
import { startHost, type Host } from './host/remote.ts';
import { measureLatency } from './measure/latency.ts';
import { measureLoad } from './measure/load.ts';
import { startModel, type BenchModel } from './model.ts';
import { FULL, QUICK, SMOKE, type Plan } from './plan.ts';
import { progress } from './progress.ts';
import { reportOf, type Results } from './report.ts';
import { describeMachine, readVersions } from './versions.ts';

/** The loop in memory: what the others are compared with. */
const ZERO: ContestantName = 'memory';

interface Options {
  plan: Plan;
  names: ContestantName[];
  out: string;
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      only: { type: 'string', default: CONTESTANT_NAMES.join(',') },
      out: { type: 'string', default: 'docs/results/bench.md' },
    },
  });
  const asked = values.only.split(',');
  const unknown = asked.filter((name) => !(CONTESTANT_NAMES as string[]).includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `--only knows ${CONTESTANT_NAMES.join(', ')}; it does not know ${unknown.join(', ')}.`,
    );
  }
  const names = CONTESTANT_NAMES.filter((name) => name === ZERO || asked.includes(name));
  return { plan: values.smoke ? SMOKE : values.quick ? QUICK : FULL, names, out: values.out };
}

async function run({ plan, names }: Options): Promise<Results> {
  const scratch = await mkdtemp(join(tmpdir(), 'turnkeeper-bench-'));
  let model: BenchModel | undefined;
  let hosts: Host[] = [];
  try {
    progress('starting');
    const temporalCli = await findCli();
    model = await startModel();
    const setup = { modelUrl: model.baseUrl, scratch, temporalCli };
    hosts = await Promise.all(names.map((name) => startHost(name, setup)));
    return await measure(hosts, model, plan);
  } finally {
    progress('stopping');
    await Promise.all(hosts.map((host) => host.stop()));
    await model?.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}

function findCli(): Promise<string> {
  const explicitPath = readPath(childEnvironment({}), 'TEMPORAL_CLI_PATH');
  return findTemporalCli({ explicitPath, cacheDir: readCacheDir(), onProgress: progress });
}

async function measure(hosts: Host[], model: BenchModel, plan: Plan): Promise<Results> {
  const zero = hosts.find(({ name }) => name === ZERO);
  if (!zero) throw new Error('There is nothing to compare with.');
  progress(`warming up, ${plan.warmUp} turns each`);
  await Promise.all(hosts.map((host) => host.runTurns(plan.warmUp)));
  const latency = await measureLatency(hosts, zero, plan, {
    beforeBlock: model.refresh,
    onRound: (round) => progress(`one turn at a time, round ${round} of ${plan.rounds}`),
  });
  progress(`one conversation of ${plan.growth.at(-1) ?? 0} turns each`);
  await model.refresh();
  const growth = await Promise.all(hosts.map((host) => host.grow(plan.growth)));
  const load = await measureLoad(hosts, plan, {
    beforePass: model.refresh,
    onPass: ({ name }) => progress(`${plan.concurrency} turns at a time, ${name}`),
  });
  return {
    plan,
    hosts,
    latency,
    load,
    growth: new Map(hosts.map((host, i) => [host, growth[i] ?? []])),
  };
}

const args = process.argv.slice(2);
const options = readOptions(args);
const startedAt = new Date();
const results = await run(options);
const command = ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
const temporalCli = await findCli();
const report = reportOf(results, {
  command,
  startedAt,
  seconds: (Date.now() - startedAt.getTime()) / 1_000,
  machine: describeMachine(),
  versions: await readVersions(temporalCli),
});
await writeFile(options.out, report);
process.stdout.write(report);
