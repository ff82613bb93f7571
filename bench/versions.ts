import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PACKAGES = [
  '@langchain/langgraph',
  '@langchain/langgraph-checkpoint-postgres',
  '@dbos-inc/dbos-sdk',
  '@temporalio/worker',
  '@electric-sql/pglite',
  'openai',
  'pg',
];

export interface Version {
  name: string;
  version: string;
}

/** Everything that took part. */
export async function readVersions(temporalCli: string): Promise<Version[]> {
  const root = await readManifest(fileURLToPath(new URL('../package.json', import.meta.url)));
  const packages = PACKAGES.map(async (name) => ({ name, version: await versionOf(name) }));
  return [
    { name: 'Turnkeeper', version: root?.version ?? 'unknown' },
    { name: 'Node.js', version: process.version },
    ...(await Promise.all(packages)),
    { name: 'Temporal CLI', version: await firstLine(temporalCli, ['--version']) },
    {
      name: 'PostgreSQL',
      version: await firstLine('psql', ['--version']).catch(() => 'not installed'),
    },
  ];
}

/** Looks for package.json beside the entry or above it: not every package exports it. */
async function versionOf(name: string): Promise<string> {
  const entry = entryOf(name);
  if (entry === null) return 'not installed';
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = await readManifest(join(folder, 'package.json'));
    if (manifest?.name === name && manifest.version) return manifest.version;
  }
  return 'unknown';
}

/** Peers are installed by `npm run bench` alone. */
function entryOf(name: string): string | null {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return null;
  }
}

async function readManifest(path: string): Promise<{ name?: string; version?: string } | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as { name?: string; version?: string });
}

async function firstLine(command: string, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args);
  return stdout.split('\n')[0] ?? '';
}

export function describeMachine(): string {
  const [cpu] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${cpu?.model ?? 'unknown processor'}, ${gigabytes} GB, ${type()} ${release()}`;
}
