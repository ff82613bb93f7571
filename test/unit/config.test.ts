import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  childEnvironment,
  loadConfig,
  readCacheDir,
  readServer,
  requireModel,
  readWorkflowBundle,
} from '../../src/config.ts';
import { describeConfig } from '../../src/config/describe.ts';
import { redactUrl } from '../../src/config/readers.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import type { Setting } from '../../src/config/settings/setting.ts';
import { TurnkeeperError } from '../../src/contracts/errors.ts';
import { DEFAULT_LIMITS } from '../../src/conversation/limits.ts';

const NEEDED = { HOME: '/nowhere', DATABASE_URL: 'postgres://tk:hunter2@db.example:5432/tk' };

function load(env: Record<string, string> = {}) {
  return loadConfig({ ...NEEDED, ...env });
}

function refusal(env: Record<string, string>): TurnkeeperError {
  try {
    load(env);
  } catch (error) {
    if (error instanceof TurnkeeperError) return error;
  }
  throw new Error('The settings were not refused.');
}

describe('readServer', () => {
  it('needs no setting, and takes those that are given', () => {
    expect(readServer({})).toEqual({
      host: '127.0.0.1',
      port: 8_787,
      maxStreams: 1_000,
      dataDir: null,
    });
    const env = {
      TURNKEEPER_HOST: '::1',
      PORT: '0',
      TURNKEEPER_MAX_STREAMS: '2',
      DATA_DIR: 'data',
    };
    const given = { host: '::1', port: 0, maxStreams: 2, dataDir: resolve('data') };
    expect(readServer(env)).toEqual(given);
  });
});

describe('loadConfig', () => {
  it('needs a database and nothing else', () => {
    expect(load()).toEqual({
      databaseUrl: NEEDED.DATABASE_URL,
      databasePoolSize: 10,
      databaseListenUrl: null,
      vectorDatabaseUrl: null,
      qdrant: null,
      encryptionKeys: [],
      codecOrigin: null,
      openai: { apiKey: null, baseUrl: null },
      embeddings: { source: 'auto', model: 'text-embedding-3-small', dimensions: 512 },
      sandbox: {
        kind: 'auto',
        image: 'turnkeeper-sandbox',
        runtime: null,
        concurrency: availableParallelism(),
        dockerHost: 'unix:///var/run/docker.sock',
      },
      metrics: null,
      cacheDir: '/nowhere/.cache/turnkeeper',
      taskQueue: 'turnkeeper',
      toolsModule: null,
      modelIdleTimeoutMs: 120_000,
      limits: DEFAULT_LIMITS,
      worker: {
        maxConcurrentActivities: 100,
        sweepIntervalMs: 2_000,
        eventRetentionMs: 86_400_000,
      },
      versioning: null,
      temporal: { connectionOptions: { address: 'localhost:7233' }, namespace: 'default' },
      temporalCliPath: null,
    });
  });

  it('names the database setting when it is missing or empty', () => {
    expect(refusal({ DATABASE_URL: '' })).toMatchObject({
      code: 'missing_setting',
      details: { setting: 'DATABASE_URL' },
    });
  });

  it('reads every setting that is given', () => {
    const config = load({
      DATABASE_POOL_SIZE: '4',
      DATABASE_LISTEN_URL: 'postgres://direct.example/tk',
      VECTOR_DATABASE_URL: 'postgresql://v.example/vectors',
      QDRANT_URL: 'https://q.example:6333',
      QDRANT_API_KEY: 'key',
      OPENAI_API_KEY: ' sk-1 ',
      OPENAI_BASE_URL: 'http://127.0.0.1:9/v1',
      EMBEDDINGS: 'openai',
      EMBEDDING_MODEL: 'other',
      EMBEDDING_DIMENSIONS: '256',
      TURNKEEPER_CACHE_DIR: 'caches',
      TURNKEEPER_TASK_QUEUE: 'blue',
      TURNKEEPER_TOOLS: './tools.js',
      TURNKEEPER_MODEL_IDLE_TIMEOUT_MS: '5000',
      TURNKEEPER_MAX_INPUT_BYTES: '1',
      TURNKEEPER_MAX_ITEMS_PER_TURN: '2',
      TURNKEEPER_MAX_METADATA_BYTES: '3',
      TURNKEEPER_MAX_DOCUMENT_BYTES: '4',
      TURNKEEPER_MAX_QUEUED_TURNS: '8',
      TURNKEEPER_MAX_CONCURRENT_ACTIVITIES: '5',
      TURNKEEPER_SWEEP_INTERVAL_MS: '600',
      TURNKEEPER_EVENT_RETENTION_MS: '7000',
      TEMPORAL_CLI_PATH: '/opt/temporal',
    });
    expect(config).toMatchObject({
      databasePoolSize: 4,
      databaseListenUrl: 'postgres://direct.example/tk',
      vectorDatabaseUrl: 'postgresql://v.example/vectors',
      qdrant: { url: 'https://q.example:6333', apiKey: 'key' },
      openai: { apiKey: 'sk-1', baseUrl: 'http://127.0.0.1:9/v1' },
      embeddings: { source: 'openai', model: 'other', dimensions: 256 },
      cacheDir: resolve('caches'),
      taskQueue: 'blue',
      toolsModule: resolve('tools.js'),
      modelIdleTimeoutMs: 5_000,
      limits: {
        maxInputBytes: 1,
        maxItemsPerTurn: 2,
        maxMetadataBytes: 3,
        maxDocumentBytes: 4,
        maxQueuedTurns: 8,
      },
      worker: { maxConcurrentActivities: 5, sweepIntervalMs: 600, eventRetentionMs: 7_000 },
      temporalCliPath: '/opt/temporal',
    });
  });

  it('reads keys for histories, the first one first, and never tells them', () => {
    const [one, two] = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64'));
    const { encryptionKeys } = load({ TURNKEEPER_ENCRYPTION_KEYS: `new:${one}, old-1:${two}` });
    expect(encryptionKeys.map(({ id, key }) => [id, key[0], key.length])).toEqual([
      ['new', 1, 32],
      ['old-1', 2, 32],
    ]);
    for (const wrong of [one, `a:${one},a:${two}`, 'a:c2hvcnQ=', `a b:${one}`, `a:${one},`]) {
      const error = refusal({ TURNKEEPER_ENCRYPTION_KEYS: wrong ?? '' });
      expect(error).toMatchObject({ code: 'invalid_setting', details: { value: '***' } });
      expect(JSON.stringify([error.message, error.details])).not.toContain(one);
    }
  });

  it('reads the origin that may ask for payloads', () => {
    const TURNKEEPER_CODEC_ORIGIN = 'http://localhost:8233/namespaces';
    expect(load({ TURNKEEPER_CODEC_ORIGIN }).codecOrigin).toBe('http://localhost:8233');
  });

  it('freezes what it read, all the way down', () => {
    const config = load({ TEMPORAL_TLS_SERVER_CA_CERT_DATA: 'PEM' });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.limits)).toBe(true);
    expect(Object.isFrozen(config.temporal.connectionOptions)).toBe(true);
  });

  it.each([
    ['DATABASE_POOL_SIZE', '0', 'a whole number from 1 to 1000'],
    ['DATABASE_POOL_SIZE', '1e2', 'a whole number from 1 to 1000'],
    ['TURNKEEPER_SWEEP_INTERVAL_MS', '-5', 'a whole number of milliseconds from 100 to 86400000'],
    ['TURNKEEPER_MAX_DOCUMENT_BYTES', '20MB', 'a whole number of bytes from 1 to'],
    ['EMBEDDINGS', 'cohere', 'one of auto, openai, local, none'],
    ['OPENAI_BASE_URL', 'localhost:8000', 'a URL of the form http://host:port/path'],
    ['TEMPORAL_TLS', 'yes', 'one of true, false, 1, 0'],
    ['TEMPORAL_CONFIG_FILE', '/nowhere/temporal.toml', 'the path of a file'],
  ])('refuses %s=%s and says what is allowed', (setting, value, allowed) => {
    const error = refusal({ [setting]: value });
    expect(error).toMatchObject({ code: 'invalid_setting', details: { setting } });
    expect(error.message).toContain(setting);
    expect(error.message).toContain(allowed);
  });

  it.each(['mysql://tk:hunter2@db/tk', 'tk:hunter2@db', 'hunter2'])(
    'refuses the database URL %s without echoing the password',
    (url) => {
      const error = refusal({ DATABASE_URL: url });
      expect(error.code).toBe('invalid_setting');
      expect(`${error.message} ${JSON.stringify(error.details)}`).not.toContain('hunter2');
    },
  );

  it('refuses embeddings of a provider that is not configured', () => {
    expect(refusal({ EMBEDDINGS: 'openai' }).code).toBe('missing_setting');
  });
});

describe('Temporal’s own configuration', () => {
  it('comes from the standard variables', () => {
    const { temporal } = load({
      TEMPORAL_ADDRESS: 'tk.tmprl.cloud:7233',
      TEMPORAL_NAMESPACE: 'tk.abc',
      TEMPORAL_API_KEY: 'key',
      TEMPORAL_GRPC_META_TEAM: 'blue',
    });
    expect(temporal).toEqual({
      connectionOptions: {
        address: 'tk.tmprl.cloud:7233',
        apiKey: 'key',
        tls: true,
        metadata: { team: 'blue' },
      },
      namespace: 'tk.abc',
    });
  });

  it('keeps TLS off where it is switched off, in spite of a key', () => {
    const { temporal } = load({ TEMPORAL_API_KEY: 'key', TEMPORAL_TLS: 'false' });
    expect(temporal.connectionOptions.tls).toBe(false);
  });

  it('comes from a profile of the configuration file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-config-'));
    const file = join(folder, 'temporal.toml');
    await writeFile(file, '[profile.blue]\naddress = "blue:7233"\nnamespace = "b"\n');
    try {
      const { temporal } = load({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'blue' });
      expect(temporal.connectionOptions.address).toBe('blue:7233');
      expect(temporal.namespace).toBe('b');
      const error = refusal({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'green' });
      expect(error.code).toBe('invalid_setting');
      expect(error.message).toContain("Profile 'green' not found");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('requireModel', () => {
  it('takes a key, or a server of one’s own', () => {
    expect(() => requireModel(load({ OPENAI_API_KEY: 'sk-1' }))).not.toThrow();
    expect(() => requireModel(load({ OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' }))).not.toThrow();
  });

  it('names both settings when there is neither', () => {
    expect(() => requireModel(load())).toThrow(
      'Neither OPENAI_API_KEY nor OPENAI_BASE_URL is set.',
    );
  });
});

describe('readCacheDir', () => {
  it('prefers our own setting, then the standard folder, then the home folder', () => {
    const env = { HOME: '/home/a', XDG_CACHE_HOME: '/caches', TURNKEEPER_CACHE_DIR: '/mine' };
    expect(readCacheDir(env)).toBe('/mine');
    expect(readCacheDir({ ...env, TURNKEEPER_CACHE_DIR: '' })).toBe('/caches/turnkeeper');
    expect(readCacheDir({ HOME: '/home/a' })).toBe('/home/a/.cache/turnkeeper');
  });
});

describe('describeConfig', () => {
  it('tells what is used, and no secret', () => {
    const secrets = {
      DATABASE_URL: 'postgres://tk:hunter2@db.example/tk?sslpassword=hunter2',
      DATABASE_LISTEN_URL: 'postgres://tk:hunter2@direct.example/tk',
      VECTOR_DATABASE_URL: 'postgres://tk:hunter2@vectors.example/tk',
      OPENAI_API_KEY: 'hunter2',
      OPENAI_BASE_URL: 'http://proxy.example/v1',
      TEMPORAL_API_KEY: 'hunter2',
    };
    const lines = describeConfig(load(secrets)).join('\n');
    expect(lines).not.toContain('hunter2');
    for (const part of [
      'db.example',
      'direct.example',
      'vectors.example',
      'proxy.example',
      'localhost:7233',
      'TLS',
    ]) {
      expect(lines).toContain(part);
    }
  });

  it('refuses credentials in the provider’s URL, without echoing them', () => {
    const load_ = () => load({ OPENAI_BASE_URL: 'http://me:hunter2@proxy.example/v1' });
    expect(load_).toThrow(/without user and password/);
    expect(load_).not.toThrow(/hunter2/);
  });

  it('tells where documents are: in Qdrant, in PostgreSQL, or that retrieval is off', () => {
    const postgres = { VECTOR_DATABASE_URL: 'postgres://vectors.example/tk' };
    const qdrant = { QDRANT_URL: 'http://qdrant.example:6333', QDRANT_API_KEY: 'hunter2' };
    const told = (env: Record<string, string>) => describeConfig(load(env)).join('\n');
    expect(told({})).toContain('retrieval is off');
    expect(told(postgres)).toContain('vectors.example');
    expect(told({ ...postgres, ...qdrant })).toContain('Qdrant, http://qdrant.example:6333');
    expect(told({ ...postgres, ...qdrant })).not.toMatch(/vectors\.example|hunter2/);
  });
});

it.each(['OPENAI_API_KEY', 'QDRANT_API_KEY'])(
  'refuses a %s of two lines, and does not show it',
  (name) => {
    const env = {
      DATABASE_URL: 'postgres://d.example/d',
      QDRANT_URL: 'http://q.example',
      [name]: 'SECRET\nSECRET',
    };
    const load = () => loadConfig(env);
    expect(load).toThrow(`${name} is "***"; it must be one line of text.`);
  },
);

describe('worker versioning', () => {
  const pinned = { TURNKEEPER_VERSIONING: 'pinned', TURNKEEPER_BUILD_ID: 'v1.2-abc' };

  it('is off whatever the build is called', () => {
    expect(load({ TURNKEEPER_BUILD_ID: 'v1' }).versioning).toBeNull();
  });

  it('takes the build and the task queue together', () => {
    const versioning = { buildId: 'v1.2-abc', deployment: 'turnkeeper' };
    expect(load(pinned).versioning).toEqual({ ...versioning, behavior: 'PINNED' });
    expect(load({ ...pinned, TURNKEEPER_VERSIONING: 'auto-upgrade' }).versioning).toEqual({
      ...versioning,
      behavior: 'AUTO_UPGRADE',
    });
    expect(describeConfig(load(pinned)).join('\n')).toContain('build v1.2-abc, turns stay with it');
  });

  it('needs a build', () => {
    expect(refusal({ TURNKEEPER_VERSIONING: 'pinned' })).toMatchObject({
      code: 'missing_setting',
      details: { setting: 'TURNKEEPER_BUILD_ID' },
    });
  });

  it.each([
    ['TURNKEEPER_BUILD_ID', '__v1'],
    ['TURNKEEPER_TASK_QUEUE', 'blue.green'],
    ['TURNKEEPER_TASK_QUEUE', 'blue:green'],
    ['TURNKEEPER_TASK_QUEUE', '__blue'],
    ['TURNKEEPER_VERSIONING', 'always'],
  ])('refuses %s %s, which Temporal would not take', (setting, value) => {
    expect(refusal({ ...pinned, [setting]: value })).toMatchObject({
      code: 'invalid_setting',
      details: { setting, value },
    });
  });
});

it('refuses a bundle of workflows that is not there', () => {
  const read = () => readWorkflowBundle({ TURNKEEPER_WORKFLOW_BUNDLE: '/not/there.js' });
  expect(read).toThrow('TURNKEEPER_WORKFLOW_BUNDLE is "/not/there.js"');
});

describe('redactUrl', () => {
  it.each([
    ['postgres://u:p@h:1/d', 'postgres://u:***@h:1/d'],
    ['postgres://u@h/d?password=p', 'postgres://u@h/d?***'],
    ['postgres:///d?host=/run/postgresql', 'postgres:///d?***'],
    ['u:p@h', '***'],
    ['p', '***'],
  ])('shows %s as %s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown);
  });
});

it('gives a child this process’s environment with changes on top', () => {
  const child = childEnvironment({ TURNKEEPER_TASK_QUEUE: 'blue', HOME: undefined });
  expect(child['PATH']).toBe(process.env['PATH']);
  expect(child['TURNKEEPER_TASK_QUEUE']).toBe('blue');
  expect(child['HOME']).toBeUndefined();
});

describe('docs/configuration.md', () => {
  const rowOf = (name: string, setting: Setting): string => {
    const value = setting.default === null ? '' : `\`${setting.default}\``;
    const unit = setting.unit ? ` ${setting.unit}` : '';
    const secret = setting.secret ? ' (secret)' : '';
    return `| \`${name}\` | ${`${value}${unit}`.trim()} | ${setting.description}${secret} |`;
  };

  it('has one row for each setting, as the code has it, and no other row', async () => {
    const markdown = await readFile(
      new URL('../../docs/configuration.md', import.meta.url),
      'utf8',
    );
    const rows = markdown.split('\n').filter((line) => /^\| `[A-Z_]+` /.test(line));
    const expected = Object.entries(SETTINGS).map(([name, setting]) => rowOf(name, setting));
    expect(rows.sort()).toEqual(expected.sort());
  });
});
