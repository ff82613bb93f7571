import { readHttpUrl, readText, redactUrl } from '../../config/readers.ts';
import type { Environment } from '../../config/readers.ts';
import { childEnvironment } from '../../config.ts';
import { TurnkeeperError } from '../../contracts/errors.ts';

const DEFAULT_MODEL = 'gpt-5-mini';

/** A model that the environment names, or the offline model. */
export interface ModelChoice {
  offline: boolean;
  name: string;
  /** For people. */
  where: string;
}

/** Throws `missing_setting` when a model is asked for by name and nothing says where it is. */
export function chooseModel(
  name: string | null,
  env: Environment = childEnvironment({}),
): ModelChoice {
  const server = readHttpUrl(env, 'OPENAI_BASE_URL');
  if (server !== null || readText(env, 'OPENAI_API_KEY') !== null) {
    const where = server === null ? 'OpenAI, on the account of your key' : redactUrl(server);
    return { offline: false, name: name ?? DEFAULT_MODEL, where };
  }
  if (name === null) return { offline: true, name: 'offline-model', where: 'this machine' };
  throw new TurnkeeperError(
    'missing_setting',
    `--model ${name} needs OPENAI_API_KEY or OPENAI_BASE_URL, and neither is set.`,
  );
}

/** Settings by which a program reaches what was started, as far as it is running. */
export type Settings = Partial<
  Record<
    | 'DATABASE_URL'
    | 'VECTOR_DATABASE_URL'
    | 'QDRANT_URL'
    | 'TURNKEEPER_SANDBOX'
    | 'TEMPORAL_ADDRESS'
    | 'TEMPORAL_NAMESPACE'
    | 'OPENAI_BASE_URL'
    | 'EMBEDDINGS'
    | 'TURNKEEPER_TOOLS',
    string
  >
>;

/** What the environment names and is not to be started. */
export interface Named {
  database: boolean;
  temporal: boolean;
}

export const NOTHING_NAMED: Named = { database: false, temporal: false };

export function namedServices(env: Environment = childEnvironment({})): Named {
  return {
    database: readText(env, 'DATABASE_URL') !== null,
    temporal: readText(env, 'TEMPORAL_ADDRESS') !== null,
  };
}

/** On top of this process's environment, whose settings for another Temporal must not reach one that was started. */
export function overrides(settings: Settings, temporalConfigFile: string): Environment {
  const inherited = Object.keys(childEnvironment({})).filter((name) =>
    name.startsWith('TEMPORAL_'),
  );
  return {
    ...Object.fromEntries(inherited.map((name) => [name, undefined])),
    TEMPORAL_CONFIG_FILE: temporalConfigFile,
    ...settings,
  };
}

/** Lines for a shell. */
export function exportLines(settings: Settings): string[] {
  return Object.entries(settings).map(([name, value]) => `export ${name}=${quoted(value)}`);
}

function quoted(value: string): string {
  return /^[\w:/.@-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
