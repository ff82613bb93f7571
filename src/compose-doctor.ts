import { countPollers } from './client/pollers.ts';
import { missingAttributes, registrationCommand } from './client/search-attributes.ts';
import { connectTemporal } from './client/temporal.ts';
import { probe, type Probe } from './commands/doctor/probe.ts';
import type { DoctorParts } from './commands/doctor.ts';
import { loadConfig, type Config } from './config.ts';
import { redactUrl } from './config/readers.ts';
import type { Checked } from './contracts/checked.ts';
import type { Logger } from './contracts/logger.ts';
import { describeError } from './contracts/thrown.ts';
import { KEY_PATIENCE, openShared } from './open-shared.ts';
import { examine, notLookedAt } from './recovery/examine.ts';
import type { Recovery } from './recovery/recovery.ts';
import { afterRestore, beforeRestore } from './recovery/restore.ts';
import { openSandbox } from './sandbox/open.ts';
import { openStore } from './store/postgres.ts';
import { readSchemaVersion } from './store/schema-version.ts';

type Client = Awaited<ReturnType<typeof connectTemporal>>;
type ExamineOptions = Parameters<DoctorParts['examine']>[0];
type OpenRecovery = Recovery & { close(): Promise<void> };

/** What `turnkeeper doctor` works with: every part that the settings name. */
export function composeDoctor(
  logger: Logger,
  load = loadConfig,
): Pick<DoctorParts, 'examine' | 'restoring'> {
  return {
    examine: (options) => examineAll(load, logger, options),
    async restoring(work) {
      const config = load();
      await withRecovery(config, logger, (parts, client) =>
        work({
          look: async () => ({
            ...(await beforeRestore(parts)),
            workers: await countPollers(client, config.taskQueue),
            where: placeOf(config),
          }),
          run: () => afterRestore(parts),
        }),
      );
    },
  };
}

async function* examineAll(
  load: () => Config,
  logger: Logger,
  { fix, confirm }: ExamineOptions,
): AsyncGenerator<Checked, void, undefined> {
  const config = load();
  const mayEnd = (turns: number) => confirm(lostQuestion(config, turns));
  yield { check: 'settings', state: 'ok', detail: 'all can be read' };
  const database = await checkDatabase(config, fix);
  yield database;
  const { client, checked } = await checkTemporal(config);
  yield checked;
  try {
    if (client) {
      yield await checkAttributes(client, logger);
      yield await checkWorkers(client, config.taskQueue);
    }
    yield await checkIndex(config);
    yield await checkSandbox(config);
    yield await checkModel(config);
    const usable = client !== null && database.state !== 'problem';
    if (usable) yield* examineData(openRecovery(config, client, logger), { fix, mayEnd });
    else yield { check: 'data', state: 'skipped', detail: 'needs the database and Temporal' };
  } finally {
    await client?.connection.close();
  }
}

/** Where the data are of which a question is asked. */
function placeOf({ databaseUrl, temporal, taskQueue }: Config): string {
  const { connectionOptions, namespace } = temporal;
  const at = `Temporal at ${connectionOptions.address}, namespace ${namespace}`;
  return `${redactUrl(databaseUrl)} and ${at}, task queue ${taskQueue}`;
}

function lostQuestion(config: Config, turns: number): string {
  return [
    `In ${placeOf(config)}:`,
    `Temporal knows none of ${turns} started turns, nor any of the newest. If it is not the one that runs them, stop here.`,
    'Have its data been lost, and are these turns to end as failed, workflow_lost?',
  ].join('\n');
}

async function* examineData(
  opening: Promise<OpenRecovery>,
  options: Parameters<typeof examine>[1],
): AsyncGenerator<Checked, void, undefined> {
  const [opened] = await Promise.allSettled([opening]);
  if (opened.status === 'rejected') return yield notLookedAt('data', opened.reason);
  try {
    yield* examine(opened.value, options);
  } finally {
    await opened.value.close();
  }
}

async function withRecovery(
  config: Config,
  logger: Logger,
  work: (parts: Recovery, client: Client) => Promise<void>,
): Promise<void> {
  const client = await connectTemporal(config.temporal);
  try {
    const parts = await openRecovery(config, client, logger);
    await work(parts, client).finally(() => parts.close());
  } finally {
    await client.connection.close();
  }
}

async function openRecovery(config: Config, client: Client, logger: Logger): Promise<OpenRecovery> {
  const closings: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closing of closings) await closing();
  };
  const opened = { add: (closing: () => Promise<void>) => void closings.unshift(closing) };
  try {
    const temporal = { client, eagerStart: false, logger, keyPatienceMs: KEY_PATIENCE.client };
    const { shared } = await openShared(config, temporal, opened);
    return { ...shared, logger, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function checkDatabase(config: Config, fix: boolean): Promise<Checked> {
  const check = 'database';
  const options = { connectionString: config.databaseUrl, poolSize: 1 };
  const where = redactUrl(config.databaseUrl);
  try {
    const { applied, known } = await readSchemaVersion(options);
    if (applied === known) return { check, state: 'ok', detail: `${where}, migration ${known}` };
    const detail = `${where} has migration ${applied}, this release ${known}`;
    if (applied > known)
      return { check, state: 'problem', detail, advice: 'Run a release as new as the database.' };
    if (applied === 0)
      return {
        ...{ check, state: 'problem', detail: `${where} has no tables of Turnkeeper` },
        advice: 'Check that DATABASE_URL names the right database; a worker makes the tables.',
      };
    const advice =
      'Start a worker of this release, or run `turnkeeper doctor --fix`: both migrate.';
    if (!fix) return { check, state: 'problem', detail, advice };
    await (await openStore(options)).close();
    return { check, state: 'mended', detail };
  } catch (error) {
    const advice = 'Check DATABASE_URL and that PostgreSQL is running there.';
    return { check, state: 'problem', detail: `${where}: ${describeError(error)}`, advice };
  }
}

async function checkTemporal({
  temporal,
}: Config): Promise<{ client: Client | null; checked: Checked }> {
  const check = 'temporal';
  try {
    const client = await connectTemporal(temporal);
    const detail = `${temporal.connectionOptions.address}, namespace ${temporal.namespace}`;
    return { client, checked: { check, state: 'ok', detail } };
  } catch (error) {
    const advice = 'Check TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.';
    const checked = { check, state: 'problem', detail: describeError(error), advice } as const;
    return { client: null, checked };
  }
}

async function checkAttributes(client: Client, logger: Logger): Promise<Checked> {
  const check = 'search attributes';
  const missing = await missingAttributes(client, logger);
  if (missing === null) return { check, state: 'skipped', detail: 'Temporal does not tell' };
  if (missing.length === 0) return { check, state: 'ok', detail: 'all are registered' };
  return {
    check,
    state: 'problem',
    detail: `${missing.join(', ')} not registered: turns cannot be searched by them`,
    advice: `${registrationCommand(client.options.namespace, missing)}; then restart workers and clients.`,
  };
}

async function checkWorkers(client: Client, taskQueue: string): Promise<Checked> {
  const check = 'workers';
  try {
    const count = await countPollers(client, taskQueue);
    const detail = `${count} ask for work on ${taskQueue}`;
    if (count > 0) return { check, state: 'ok', detail };
    const advice = 'Start a worker with this TURNKEEPER_TASK_QUEUE: nothing goes on without one.';
    return { check, state: 'problem', detail, advice };
  } catch (error) {
    return { check, state: 'skipped', detail: describeError(error) };
  }
}

async function checkIndex({ qdrant, vectorDatabaseUrl }: Config): Promise<Checked> {
  const check = 'index';
  if (!qdrant) return checkPgvector(check, vectorDatabaseUrl);
  const headers = qdrant.apiKey === null ? {} : { 'api-key': qdrant.apiKey };
  const answer = await probe(`${qdrant.url.replace(/\/$/, '')}/collections`, headers);
  return probed(check, `Qdrant at ${redactUrl(qdrant.url)}`, answer, 'QDRANT_URL, QDRANT_API_KEY');
}

async function checkPgvector(check: string, url: string | null): Promise<Checked> {
  if (url === null) return { check, state: 'ok', detail: 'none: retrieval is off' };
  const detail = `pgvector at ${redactUrl(url)}`;
  try {
    await readSchemaVersion({ connectionString: url, poolSize: 1 });
    return { check, state: 'ok', detail };
  } catch (error) {
    const advice = 'Check VECTOR_DATABASE_URL and that PostgreSQL is running there.';
    return { check, state: 'problem', detail: `${detail}: ${describeError(error)}`, advice };
  }
}

async function checkModel({ openai }: Config): Promise<Checked> {
  const check = 'model';
  if (openai.apiKey === null && openai.baseUrl === null) {
    const advice = 'Set OPENAI_API_KEY or OPENAI_BASE_URL, as the workers have it.';
    return { check, state: 'problem', detail: 'neither key nor address is set', advice };
  }
  const base = openai.baseUrl ?? 'https://api.openai.com/v1';
  const headers = openai.apiKey === null ? {} : { authorization: `Bearer ${openai.apiKey}` };
  // Lists models, which costs no tokens.
  const answer = await probe(`${base.replace(/\/$/, '')}/models`, headers);
  return probed(check, redactUrl(base), answer, 'OPENAI_API_KEY, OPENAI_BASE_URL');
}

function probed(check: string, where: string, answer: Probe, settings: string): Checked {
  const detail = `${where} ${answer}`;
  if (answer === 'answers') return { check, state: 'ok', detail };
  return { check, state: 'problem', detail, advice: `Check ${settings}, and the server itself.` };
}

async function checkSandbox(config: Config): Promise<Checked> {
  const check = 'sandbox';
  try {
    const { sandbox, reasons } = await openSandbox(config.sandbox);
    await sandbox?.close();
    const detail = sandbox?.description ?? `none, code is refused: ${reasons.join(' ')}`;
    return { check, state: 'ok', detail };
  } catch (error) {
    const advice = 'Install what is named, or set TURNKEEPER_SANDBOX=none.';
    return { check, state: 'problem', detail: describeError(error), advice };
  }
}
