import { readCacheDir } from '../../src/config.ts';
import { startChild, type OwnChild } from '../../src/dev/child.ts';
import { startPostgresServer } from '../../src/dev/postgres-server.ts';
import { findTemporalCli } from '../../src/dev/temporal-cli.ts';
import { startTemporalServer } from '../../src/dev/temporal-server.ts';

export interface ProcessIds {
  worker: number;
  gateway: number;
  database: number;
}

/** One gateway and one worker, a process each, on PostgreSQL and Temporal of their own. */
export interface Service {
  /** Of the gateway. */
  url: string;
  databaseUrl: string;
  assistantId: string;
  processes: ProcessIds;
  startWorker(): Promise<OwnChild>;
  /** SIGTERM to the worker that was there first; resolves when it is gone. */
  endFirstWorker(): Promise<void>;
  stop(): Promise<void>;
}

export async function startService(modelUrl: string, generation: string): Promise<Service> {
  const cliPath = await findTemporalCli({
    explicitPath: null,
    cacheDir: readCacheDir(),
    onProgress: () => undefined,
  });
  const [temporal, database] = await Promise.all([
    startTemporalServer({ cliPath, ui: false, searchAttributes: {} }),
    startPostgresServer(),
  ]);
  const env = {
    DATABASE_URL: database.url,
    DATABASE_LISTEN_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    OPENAI_BASE_URL: modelUrl,
    OPENAI_API_KEY: 'none',
    EMBEDDINGS: 'none',
    TURNKEEPER_SANDBOX: 'none',
    TURNKEEPER_MAX_CONCURRENT_ACTIVITIES: '400',
  };
  const workerScript = new URL('./worker-main.ts', import.meta.url);
  const startWorker = () => startChild({ name: 'The worker', script: workerScript, env });
  const workers = [await startWorker()];
  const gateway = await startChild({
    name: 'The gateway',
    script: 'server',
    env: { ...env, PORT: '0' },
  });
  const url = String(gateway.ready['listening']);
  const assistant = await post(`${url}/api/assistants`, {
    name: 'bench',
    model: 'bench-model',
    generation,
  });
  return {
    url,
    databaseUrl: database.url,
    assistantId: assistant.id,
    processes: { worker: workers[0]?.pid ?? 0, gateway: gateway.pid, database: database.pid },
    async startWorker() {
      const worker = await startWorker();
      workers.push(worker);
      return worker;
    },
    async endFirstWorker() {
      await workers[0]?.stop();
    },
    async stop() {
      await Promise.all([gateway.stop(), ...workers.map((worker) => worker.stop())]);
      await Promise.all([temporal.stop(), database.stop()]);
    },
  };
}

/** Starts a turn in a conversation of its own and answers its id. */
export async function startTurn({ url, assistantId }: Service): Promise<string> {
  const { id } = await post(`${url}/api/conversations`, {});
  const turn = await post(`${url}/api/conversations/${id}/turns`, { assistantId, input: 'Go on.' });
  return turn.id;
}

async function post(url: string, body: object): Promise<{ id: string }> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${await answer.text()}`);
  return (await answer.json()) as { id: string };
}
