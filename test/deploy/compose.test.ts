import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../src/client/search-attributes.ts';
import { loadConfig, requireModel } from '../../src/config.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import type { Setting } from '../../src/config/settings/setting.ts';
import {
  codeBlocks,
  parseDockerfile,
  read,
  readComposeFile,
  ROOT,
  type ComposeFile,
  type Service,
} from './compose-file.ts';

let text: string;
let file: ComposeFile;
beforeAll(async () => {
  ({ text, file } = await readComposeFile());
});

const services = (): [name: string, service: Service][] => Object.entries(file.services);
const serviceOf = (name: string): Service => {
  const service = file.services[name];
  if (!service) throw new Error(`There is no service ${name}.`);
  return service;
};

/** `${NAME:?…}` and `${NAME:-}`, as compose reads them; `$$` is a plain dollar. */
const variables = (source: string): string[] => {
  const plain = source.replaceAll('$$', '');
  return [...plain.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
};

describe('docker-compose.yml', () => {
  it('pins every image to one version', () => {
    for (const [name, { image = '' }] of services()) {
      const [, version = ''] = image.split(':');
      expect(version, `${name}: ${image}`).toMatch(/^v?\d+\.\d+(\.\d+)?(-[\w.]+)?$/);
    }
    expect(text).not.toContain('latest');
  });

  it('gives the image that it builds the version of the package', async () => {
    const { version } = JSON.parse(await read('package.json')) as { version: string };
    expect(serviceOf('worker')).toMatchObject({
      build: '.',
      image: `turnkeeper-worker:${version}`,
    });
  });

  it('refers only to services, networks, volumes and configs that it has, and uses all of them', () => {
    const used = {
      networks: new Set<string>(),
      volumes: new Set<string>(),
      configs: new Set<string>(),
    };
    for (const [, service] of services()) {
      for (const network of service.networks ?? []) used.networks.add(network);
      for (const volume of service.volumes ?? []) used.volumes.add(volume.split(':')[0] ?? '');
      for (const { source } of service.configs ?? []) used.configs.add(source);
    }
    expect([...used.networks].sort()).toEqual(Object.keys(file.networks).sort());
    expect([...used.volumes].sort()).toEqual(Object.keys(file.volumes).sort());
    expect([...used.configs].sort()).toEqual(Object.keys(file.configs).sort());
  });

  it('waits for services until they are what their kind can be', () => {
    const isTask = ({ healthcheck }: Service) => healthcheck === undefined;
    for (const [name, { depends_on: needs = {} }] of services()) {
      for (const [other, { condition }] of Object.entries(needs)) {
        const expected =
          other !== 'worker' && isTask(serviceOf(other))
            ? 'service_completed_successfully'
            : 'service_healthy';
        expect(condition, `${name} needs ${other}`).toBe(expected);
      }
    }
  });

  it('needs a service of a profile only where that is on', () => {
    for (const [name, { depends_on: needs = {}, profiles = [] }] of services()) {
      for (const [other, { required = true }] of Object.entries(needs)) {
        const isThere = (serviceOf(other).profiles ?? profiles).every((one) =>
          profiles.includes(one),
        );
        expect(required, `${name} needs ${other}`).toBe(isThere);
      }
    }
  });

  it('checks the health of every service that stays', () => {
    const needed = services().flatMap(([, { depends_on: needs = {} }]) => Object.entries(needs));
    const tasks = needed
      .filter(([, { condition }]) => condition === 'service_completed_successfully')
      .map(([name]) => name);
    for (const [name, service] of services()) {
      // Our own image brings its check along.
      const checked = service.healthcheck !== undefined || service.build !== undefined;
      expect(checked, name).toBe(!tasks.includes(name));
    }
  });

  it('publishes ports on loopback only', () => {
    const ports = services().flatMap(([, service]) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    for (const [name, service] of services()) expect(service.network_mode, name).not.toBe('host');
  });

  it('mounts nothing of the host, its Docker socket least of all', () => {
    expect(text).not.toContain('docker.sock');
    for (const [, { volumes = [] }] of services())
      for (const volume of volumes)
        expect(Object.keys(file.volumes)).toContain(volume.split(':')[0]);
  });

  it('lets only the engine of the sandbox have privileges, and gives it no network', () => {
    const privileged = services().filter(([, service]) => service.privileged);
    expect(privileged.map(([name]) => name)).toEqual(['sandbox-engine']);
    expect(serviceOf('sandbox-engine')).toMatchObject({
      network_mode: 'none',
      profiles: ['sandbox'],
    });
    for (const [name, { security_opt: options }] of services())
      if (name !== 'sandbox-engine') expect(options, name).toEqual(['no-new-privileges:true']);
  });
});

describe('its secrets', () => {
  it('come from the environment, which must have them, but for the key of a provider that may need none', () => {
    const secret = /(PASSWORD|PWD|API_KEY)$/;
    for (const [name, { environment = {} }] of services()) {
      for (const [variable, value] of Object.entries(environment))
        if (secret.test(variable) && variable !== 'OPENAI_API_KEY')
          expect(value, `${name}: ${variable}`).toMatch(/^\$\{\w+:\?[^}]+\}$/);
    }
    const worker = serviceOf('worker').environment ?? {};
    expect(worker['DATABASE_URL']).toContain(':${POSTGRES_PASSWORD:?');
    expect(worker['OPENAI_API_KEY']).toBe('${OPENAI_API_KEY:-}');
  });

  it('are all in .env.example, without values; git and the image leave .env out', async () => {
    const lines = (await read('.env.example')).split('\n').filter((line) => /^\w/.test(line));
    const listed = lines.map((line) => line.replace(/=$/, ''));
    expect(listed.sort()).toEqual([...new Set(variables(text))].sort());
    expect((await read('.gitignore')).split('\n')).toContain('.env');
    expect((await read('.dockerignore')).split('\n')).toContain('*');
  });
});

describe('its workers', () => {
  /** What a worker gets of an .env with what is required, and with `given`. */
  const environment = (given: Record<string, string> = {}): Record<string, string> => {
    const entries = Object.entries(serviceOf('worker').environment ?? {});
    const filled = (value: string) =>
      value.replace(/\$\{(\w+):([?-])([^}]*)\}/g, (_, name: string, sign, fallback: string) =>
        sign === '?' ? 's3cret' : (given[name] ?? fallback),
      );
    return Object.fromEntries(entries.map(([name, value]) => [name, filled(value)]));
  };

  it('are told settings that exist, and all that a worker must have', () => {
    const told = environment();
    expect(Object.keys(SETTINGS)).toEqual(expect.arrayContaining(Object.keys(told)));
    expect(() => requireModel(loadConfig(told))).toThrow(/OPENAI_API_KEY/);
    const required = Object.entries<Setting>(SETTINGS)
      .filter(([, { description }]) => description.startsWith('Required.'))
      .map(([name]) => name);
    expect(Object.keys(told)).toEqual(expect.arrayContaining(required));
  });

  it('start with a key, and with a server that asks for none; both choose their embeddings', () => {
    const server = { OPENAI_BASE_URL: 'http://models:8000/v1', EMBEDDINGS: 'none' };
    const configs = [{ OPENAI_API_KEY: 'k' }, server].map((given) =>
      loadConfig(environment(given)),
    );
    for (const config of configs) expect(() => requireModel(config)).not.toThrow();
    expect(configs.map(({ embeddings }) => embeddings.source)).toEqual(['openai', 'none']);
  });

  it('are told where the other services are', () => {
    const { DATABASE_URL = '', QDRANT_URL = '', TEMPORAL_ADDRESS = '' } = environment();
    const hosts = [DATABASE_URL, QDRANT_URL, `tcp://${TEMPORAL_ADDRESS}`].map(
      (url) => new URL(url).hostname,
    );
    expect(hosts).toEqual(['postgres', 'qdrant', 'temporal']);
    const networks = serviceOf('worker').networks ?? [];
    for (const host of hosts)
      expect(
        serviceOf(host).networks?.some((one) => networks.includes(one)),
        host,
      ).toBe(true);
  });

  it('use the keys that the services were given', () => {
    const { QDRANT_API_KEY } = serviceOf('worker').environment ?? {};
    expect(serviceOf('qdrant').environment?.['QDRANT__SERVICE__API_KEY']).toBe(QDRANT_API_KEY);
    const { POSTGRES_USER, POSTGRES_PASSWORD } = serviceOf('postgres').environment ?? {};
    const { DATABASE_URL } = serviceOf('worker').environment ?? {};
    expect(DATABASE_URL).toContain(`//${String(POSTGRES_USER)}:${String(POSTGRES_PASSWORD)}@`);
  });

  it('are two, may write nowhere, and have time to hand over', async () => {
    expect(serviceOf('worker')).toMatchObject({
      deploy: { replicas: 2 },
      read_only: true,
      cap_drop: ['ALL'],
    });
    const [, force = ''] =
      /SHUTDOWN_FORCE_TIME = '(\d+)s'/.exec(await read('src/open-worker.ts')) ?? [];
    expect(parseInt(serviceOf('worker').stop_grace_period ?? '')).toBeGreaterThan(Number(force));
  });

  it('find the engine where it listens', () => {
    const [, socket = ''] = (environment()['DOCKER_HOST'] ?? '').split('unix://');
    const mounted = (name: string) =>
      (serviceOf(name).volumes ?? []).find((volume) =>
        socket.startsWith(`${volume.split(':')[1] ?? ''}/`),
      );
    expect(serviceOf('sandbox-engine').command).toContain(`--host=unix://${socket}`);
    expect(mounted('worker')?.split(':')[0]).toBe(mounted('sandbox-engine')?.split(':')[0]);
    expect(mounted('worker')).toMatch(/:ro$/);
  });
});

describe('the image of an application, as docs/operations.md has it', () => {
  const blocks = async () => {
    const [override = ''] = await codeBlocks('docs/operations.md', 'yaml');
    const [dockerfile = ''] = await codeBlocks('docs/operations.md', 'dockerfile');
    return { override, dockerfile };
  };

  it('is built from its own folder, and not from ours under its name', async () => {
    const { override, dockerfile } = await blocks();
    const { worker } = (parse(override) as ComposeFile).services;
    const ours = serviceOf('worker');
    expect(worker?.image).not.toBe(ours.image);
    const { context, dockerfile: path } = worker?.build as { context: string; dockerfile: string };
    expect(context).not.toBe(ours.build);
    expect(dockerfile).toContain(`# ${context}/${path}\n`);
  });

  it('is made on top of the image that is built first, and has tools', async () => {
    const { image = '' } = serviceOf('worker');
    const instructions = parseDockerfile((await blocks()).dockerfile);
    expect(instructions[0]).toEqual({ instruction: 'FROM', rest: image });
    const env = instructions.find(({ instruction }) => instruction === 'ENV');
    const [name = '', path = ''] = (env?.rest ?? '').split('=');
    expect(Object.keys(SETTINGS)).toContain(name);
    expect(instructions).toContainEqual({ instruction: 'COPY', rest: 'tools.js /app/' });
    expect(path).toBe('/app/tools.js');
    const commands = (await codeBlocks('docs/operations.md', 'sh')).join('\n');
    expect(commands.match(/docker build --tag \S+/g)).toEqual(
      Array(2).fill(`docker build --tag ${image}`),
    );
    // The first lines of our own Dockerfile say the same.
    const lines = (await blocks()).dockerfile.trim().split('\n').slice(1);
    for (const line of lines) expect(await read('Dockerfile')).toContain(`#   ${line}\n`);
  });
});

it('registers the search attributes that turns are started with', () => {
  const [script = ''] = serviceOf('temporal-namespace').command ?? [];
  const registered = [...script.matchAll(/--name (\w+) --type (\w+)/g)].map(([, name]) => name);
  expect(registered).toEqual(Object.values(SEARCH_ATTRIBUTES).map(({ name }) => name));
});

const compose = (...args: string[]) =>
  promisify(execFile)('docker', ['compose', ...args], { cwd: ROOT });

// Not one of the parts that tests ask for: where it is there, its word counts too.
if (await compose('version').then(Boolean, () => false)) {
  it('is what `docker compose` takes', async () => {
    await compose('--profile', 'sandbox', 'config', '--quiet', '--no-interpolate');
  });

  it('builds the application instead of ours with the documented override', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-compose-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const [override = ''] = await codeBlocks('docs/operations.md', 'yaml');
    await writeFile(join(folder, 'override.yml'), override);
    const files = ['--file', 'docker-compose.yml', '--file', join(folder, 'override.yml')];
    const { stdout } = await compose(...files, 'config', '--format', 'json', '--no-interpolate');
    const { worker } = (JSON.parse(stdout) as ComposeFile).services;
    expect(worker).toMatchObject({
      image: 'my-worker:1',
      build: { dockerfile: 'worker.Dockerfile' },
    });
    expect((worker?.build as { context: string }).context).toMatch(/my-application$/);
  });
}
