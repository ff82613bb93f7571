import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ClientConnectConfig } from '@temporalio/envconfig';
import { existsSync } from 'node:fs';
import { TurnkeeperError } from '../contracts/errors.ts';
import { invalid, readChoice, readText, type Environment } from './readers.ts';
import { SETTINGS } from './settings.ts';

export interface TemporalConfig {
  readonly connectionOptions: TemporalConnectionOptions;
  readonly namespace: string;
}

/** Fits the client's `Connection` and the worker's `NativeConnection`. */
export interface TemporalConnectionOptions {
  readonly address: string;
  readonly apiKey?: string;
  readonly tls?: NonNullable<ClientConnectConfig['connectionOptions']['tls']>;
  readonly metadata?: Record<string, string>;
}

/** How this process reaches Temporal. Throws `invalid_setting`; no key is echoed. */
export function readTemporal(env: Environment): TemporalConfig {
  readChoice(env, 'TEMPORAL_TLS');
  const file = readText(env, 'TEMPORAL_CONFIG_FILE');
  // Temporal's reader passes over a file that is not there.
  if (file !== null && !existsSync(file)) {
    throw invalid('TEMPORAL_CONFIG_FILE', file, 'the path of a file');
  }
  const { connectionOptions, namespace } = readTemporalEnvironment(env);
  const { address, apiKey, tls, metadata } = connectionOptions;
  return {
    connectionOptions: {
      address: address ?? SETTINGS.TEMPORAL_ADDRESS.default,
      ...(typeof apiKey === 'string' && { apiKey }),
      ...(tls !== undefined && tls !== null && { tls }),
      ...(metadata && { metadata: metadata as Record<string, string> }),
    },
    namespace: namespace ?? SETTINGS.TEMPORAL_NAMESPACE.default,
  };
}

/** Variables and configuration file as every Temporal SDK and its CLI read them. */
function readTemporalEnvironment(env: Environment): ClientConnectConfig {
  const set = Object.entries(env).filter((entry): entry is [string, string] => Boolean(entry[1]));
  try {
    return loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(set) });
  } catch (error) {
    // The parser's message quotes lines of the file, which may hold a key: keep to its first line.
    const reason = error instanceof Error ? error.message.split('\n')[0] : 'no reason given';
    const message = `Temporal's client configuration cannot be read: ${reason}.`;
    throw new TurnkeeperError(
      'invalid_setting',
      `${message} TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE or a TEMPORAL_TLS_ path is wrong.`,
    );
  }
}
