import type { ContainerCreateOptions } from 'dockerode';
import type { SandboxLimits, SandboxRequest } from '../../contracts/sandbox.ts';
import { requestDigest } from '../request.ts';
import { maxResultBytes } from '../result.ts';

export const KEY_LABEL = 'org.turnkeeper.key';
/** Milliseconds since 1970 after which the container is of no use while it runs. */
export const DEADLINE_LABEL = 'org.turnkeeper.deadline';

/** Beside the code's own time: for the engine to start, the request to arrive, the result to be written. */
export const OVERHEAD_MS = 30_000;

/** The user of the image that the code runs as. */
const USER = '10001:10001';
const ROOT = '/sandbox';
const SUPERVISOR = ['/usr/bin/python3', '-I', '-S', '-B', '/opt/turnkeeper/supervisor.py'];
/** For locks that processes share; taken from the disk limit. */
const SHARED_MEMORY_BYTES = 1_048_576;
const MAX_FILES_ON_DISK = 32_768;
const MAX_OPEN_FILES = 1_024;
/** The log holds the result with some framing of the engine's; what is longer loses its beginning. */
const LOG_TO_RESULT = 2;

export interface ContainerSetup {
  imageId: string;
  runtime: string | null;
  limits: SandboxLimits;
  /** Beside the engine's own, which in older ones lets code reach beyond its network namespace. */
  seccomp: Buffer | null;
}

/** The same for all attempts of a call, so that the engine lets only one of them create it. */
export function containerName(request: SandboxRequest, limits: SandboxLimits): string {
  return `turnkeeper-${requestDigest(request, limits).slice(0, 32)}`;
}

/** A container that gets nothing of the host, nothing of the worker's environment, and no more than the limits. */
export function containerOptions(
  request: SandboxRequest,
  { imageId, runtime, limits }: ContainerSetup,
): ContainerCreateOptions {
  const deadline = Date.now() + request.timeoutMs + OVERHEAD_MS;
  return {
    name: containerName(request, limits),
    Image: imageId,
    Entrypoint: SUPERVISOR,
    Cmd: [],
    User: USER,
    WorkingDir: '/',
    Hostname: 'sandbox',
    // The request comes over standard input, which ends when the worker that attached to it is gone.
    OpenStdin: true,
    StdinOnce: true,
    Labels: { [KEY_LABEL]: request.key, [DEADLINE_LABEL]: String(deadline) },
    HostConfig: {
      ...confinement(limits),
      ...(runtime !== null && { Runtime: runtime }),
      LogConfig: {
        Type: 'json-file',
        Config: { 'max-file': '1', 'max-size': String(LOG_TO_RESULT * maxResultBytes(limits)) },
      },
    },
  };
}

function confinement(limits: SandboxLimits): ContainerCreateOptions['HostConfig'] {
  const { memoryBytes, pids, cpus, diskBytes } = limits;
  const tmpfs = [
    'rw,nosuid,nodev,exec,mode=0700,uid=10001,gid=10001',
    `size=${diskBytes - SHARED_MEMORY_BYTES}`,
    `nr_inodes=${MAX_FILES_ON_DISK}`,
  ];
  return {
    NetworkMode: 'none',
    // Otherwise the host's own name servers and search domains are written into the container.
    Dns: ['127.0.0.1'],
    DnsSearch: ['.'],
    ReadonlyRootfs: true,
    Tmpfs: { [ROOT]: tmpfs.join(',') },
    IpcMode: 'private',
    ShmSize: SHARED_MEMORY_BYTES,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    Memory: memoryBytes,
    MemorySwap: memoryBytes,
    PidsLimit: pids,
    NanoCpus: Math.round(cpus * 1e9),
    Ulimits: [
      { Name: 'nofile', Soft: MAX_OPEN_FILES, Hard: MAX_OPEN_FILES },
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'fsize', Soft: diskBytes, Hard: diskBytes },
    ],
    Init: false,
    AutoRemove: false,
    RestartPolicy: { Name: 'no' },
  };
}
