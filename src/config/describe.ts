import { redactUrl } from './readers.ts';
import type { Config } from './types.ts';

/** What is printed at start, one line a part; passwords and keys are left out. */
export function describeConfig(config: Config): string[] {
  const { openai, embeddings, temporal } = config;
  const provider = openai.baseUrl === null ? 'OpenAI' : redactUrl(openai.baseUrl);
  const tls = temporal.connectionOptions.tls ? ', TLS' : '';
  return [
    `database    ${redactUrl(config.databaseUrl)}`,
    `events      ${describeEvents(config)}`,
    `documents   ${describeIndex(config)}`,
    `model       ${provider}, ${openai.apiKey === null ? 'no key' : 'with a key'}`,
    `embeddings  ${embeddings.source}`,
    `temporal    ${temporal.connectionOptions.address}, namespace ${temporal.namespace}${tls}`,
    `histories   ${describeEncryption(config)}`,
    `task queue  ${config.taskQueue}${describeVersioning(config)}`,
    `tools       ${config.toolsModule ?? 'none'}`,
  ];
}

function describeVersioning({ versioning }: Config): string {
  if (versioning === null) return '';
  const { buildId, behavior } = versioning;
  return `, build ${buildId}, ${behavior === 'PINNED' ? 'turns stay with it' : 'turns go on with the current one'}`;
}

function describeEvents({ databaseListenUrl }: Config): string {
  return databaseListenUrl === null ? 'polled for' : `notified by ${redactUrl(databaseListenUrl)}`;
}

function describeEncryption({ encryptionKeys: [first] }: Config): string {
  return first ? `encrypted, keys wrapped by ${first.id}` : 'not encrypted';
}

function describeIndex({ qdrant, vectorDatabaseUrl }: Config): string {
  if (qdrant) {
    return `Qdrant, ${redactUrl(qdrant.url)}, ${qdrant.apiKey === null ? 'no key' : 'with a key'}`;
  }
  if (vectorDatabaseUrl !== null) return redactUrl(vectorDatabaseUrl);
  return 'none: retrieval is off (neither QDRANT_URL nor VECTOR_DATABASE_URL is set)';
}
