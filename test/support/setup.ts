import type { TestProject } from 'vitest/node';
import { SEARCH_ATTRIBUTES } from '../../src/client/search-attributes.ts';
import { readCacheDir } from '../../src/config.ts';
import { findTemporalCli } from '../../src/dev/temporal-cli.ts';
import { startTemporalServer } from '../../src/dev/temporal-server.ts';
import { startPostgresServer } from './postgres-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Null when there is none; `temporalMissing` says why. */
    temporalAddress: string | null;
    temporalCliPath: string | null;
    temporalMissing: string | null;
    /** A database whose user may create others; null when there is none. */
    postgresUrl: string | null;
    postgresMissing: string | null;
  }
}

type Stop = () => Promise<void>;

/** One Temporal server and one PostgreSQL for the whole run. What cannot be had is told, and its tests are skipped. */
export default async function setup(project: TestProject): Promise<Stop> {
  const stops = await Promise.all([provideTemporal(project), providePostgres(project)]);
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

async function provideTemporal({ provide }: TestProject): Promise<Stop> {
  provide('temporalAddress', null);
  provide('temporalCliPath', null);
  provide('temporalMissing', null);
  try {
    const cliPath = await findTemporalCli({
      explicitPath: process.env['TEMPORAL_CLI_PATH'] ?? null,
      cacheDir: readCacheDir(),
      onProgress: (message) => console.log(message),
    });
    provide('temporalCliPath', cliPath);
    const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => [name, 'Keyword'] as const);
    const searchAttributes = Object.fromEntries(names);
    const server = await startTemporalServer({ cliPath, ui: false, searchAttributes });
    provide('temporalAddress', server.address);
    return () => server.stop();
  } catch (error) {
    provide('temporalMissing', reasonOf(error));
    return () => Promise.resolve();
  }
}

async function providePostgres({ provide }: TestProject): Promise<Stop> {
  const given = process.env['TEST_DATABASE_URL'] ?? null;
  provide('postgresUrl', given);
  provide('postgresMissing', null);
  if (given !== null) return () => Promise.resolve();
  try {
    const server = await startPostgresServer();
    provide('postgresUrl', server.url);
    return () => server.stop();
  } catch (error) {
    provide('postgresMissing', reasonOf(error));
    return () => Promise.resolve();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
