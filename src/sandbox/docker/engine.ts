import Docker from 'dockerode';
import { SandboxUnavailable } from '../../contracts/sandbox.ts';
import { describeError } from '../../contracts/thrown.ts';

/** A call that is not answered by then is given up: an engine may be frozen, or gone without a word. */
const CALL_TIMEOUT_MS = 60_000;

export interface Engine {
  docker: Docker;
  host: string;
  /**
   * Makes one call. An engine that cannot be reached, does not answer or is failing rejects as `engine_lost`; what it
   * refuses as dockerode's error, with `statusCode`.
   */
  ask: <T>(call: () => Promise<T>) => Promise<T>;
}

export interface OpenedEngine {
  engine: Engine;
  version: string;
  /** As Node names it; null for one that it has no name for. */
  architecture: NodeJS.Architecture | null;
}

/**
 * Connects to the engine at `unix://path` or `tcp://host:port`, and sees to it that it can keep the limits.
 * @throws SandboxUnavailable `engine_missing`, `program_missing` for a runtime that it lacks
 */
export async function openEngine(host: string, runtime: string | null): Promise<OpenedEngine> {
  const engine = engineAt(host);
  const info = await engine
    .ask(() => engine.docker.info() as Promise<Info>)
    .catch((error: unknown) => {
      throw engineMissing(host, error);
    });
  checkEngine(host, info);
  if (runtime !== null && !Object.hasOwn(info.Runtimes, runtime)) {
    const known = Object.keys(info.Runtimes).join(', ');
    const message = `The Docker engine at ${host} has no runtime ${runtime}; it has ${known}.`;
    throw new SandboxUnavailable('program_missing', message);
  }
  const architecture = ARCHITECTURES[info.Architecture] ?? null;
  return { engine, version: info.ServerVersion, architecture };
}

export function statusOf(error: unknown): number | null {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : null;
  return typeof status === 'number' ? status : null;
}

/** What the engine still says no to, as `SandboxUnavailable`. */
export async function unlessRefused<T>({ host }: Engine, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const message = `The Docker engine at ${host} refuses: ${wordsOf(error)}.`;
    throw new SandboxUnavailable('engine_refused', message, error);
  }
}

/** Of the engine, or of whatever kept it from being reached. */
export function wordsOf(error: unknown): string {
  return describeError(error).trim().replace(/\.$/, '');
}

/** What of the engine's own account matters here. */
interface Info {
  ServerVersion: string;
  Architecture: string;
  OSType: string;
  Runtimes: Record<string, unknown>;
  MemoryLimit: boolean;
  PidsLimit: boolean;
  CpuCfsQuota: boolean;
}

const ARCHITECTURES: Record<string, NodeJS.Architecture | undefined> = {
  x86_64: 'x64',
  aarch64: 'arm64',
};

/** An engine without these (a rootless one on an old kernel) takes the settings and does not keep them. */
function checkEngine(host: string, info: Info): void {
  const lacking = [
    ...(info.OSType === 'linux' ? [] : ['Linux containers']),
    ...(info.MemoryLimit ? [] : ['memory limits']),
    ...(info.PidsLimit ? [] : ['pids limits']),
    ...(info.CpuCfsQuota ? [] : ['CPU limits']),
  ];
  if (lacking.length === 0) return;
  const message = `The Docker engine at ${host} has no ${lacking.join(', no ')}, so nothing untrusted may run there.`;
  throw new SandboxUnavailable('engine_missing', message);
}

function engineAt(host: string): Engine {
  const docker = new Docker(addressOf(host));
  return {
    docker,
    host,
    async ask(call) {
      try {
        return await withinTime(call);
      } catch (error) {
        throw isRefusal(error) ? error : engineLost(host, error);
      }
    },
  };
}

/** Every field is given, for dockerode reads those that are not from the process's environment. */
function addressOf(host: string): Docker.DockerOptions {
  // A kept connection may be one to an engine that has been restarted since.
  const headers = { Connection: 'close' };
  const plain = { protocol: 'http', ca: undefined, cert: undefined, key: undefined } as const;
  const common = { ...plain, headers, timeout: undefined };
  const url = URL.canParse(host) ? new URL(host) : null;
  if (url?.protocol === 'unix:') {
    return { ...common, socketPath: url.pathname, host: undefined, port: undefined };
  }
  if (url?.protocol === 'tcp:' && url.hostname !== '' && url.port !== '') {
    const { hostname, port } = url;
    return { ...common, socketPath: undefined, host: hostname, port };
  }
  const message = `The Docker engine's address is ${host}; it must be unix://path or tcp://host:port.`;
  throw new SandboxUnavailable('engine_missing', message);
}

/** dockerode never settles a call whose connection breaks in mid-answer. */
async function withinTime<T>(call: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new Error(`no answer within ${CALL_TIMEOUT_MS} ms`);
    timer = setTimeout(() => reject(error), CALL_TIMEOUT_MS);
  });
  try {
    return await Promise.race([call(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function engineMissing(host: string, error: unknown): SandboxUnavailable {
  const cause = error instanceof SandboxUnavailable ? error.cause : error;
  const words = wordsOf(cause);
  const { advice } = ADVICE.find(({ words: known }) => known.test(words)) ?? START_ONE;
  const message = `No Docker engine answers at ${host}: ${words}. ${advice}`;
  return new SandboxUnavailable('engine_missing', message, error);
}

const START_ONE = {
  advice: 'Start one (Debian: apt-get install -y docker.io), or set DOCKER_HOST.',
};

const ADVICE = [
  {
    words: /EACCES|EPERM/,
    advice:
      'This user may not use the socket: add the user to the group docker (usermod -aG docker <user>), and log in again.',
  },
  {
    words: /HTTPS server|TLS|certificate/i,
    advice: 'Engines that want TLS are not supported: use a Unix socket, or a tunnel to one.',
  },
];

function isRefusal(error: unknown): boolean {
  const status = statusOf(error);
  return status !== null && status < 500;
}

function engineLost(host: string, error: unknown): SandboxUnavailable {
  const message = `The Docker engine at ${host} went away or fails: ${wordsOf(error)}.`;
  return new SandboxUnavailable('engine_lost', message, error);
}
