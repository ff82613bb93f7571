import { afterAll, beforeAll } from 'vitest';
import { createGateway, type GatewayOptions } from '../../src/gateway/app.ts';
import type { App } from '../../src/gateway/context.ts';
import { closeGateway, listen } from '../../src/gateway/listen.ts';
import type { Turnkeeper } from '../../src/client/client.ts';
import { composeClient } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import type { JsonObject } from '../../src/contracts/json.ts';
import { DEFAULT_LIMITS } from '../../src/conversation/limits.ts';
import { hasPart } from '../support/require-part.ts';
import { useWorld } from '../support/use-world.ts';
import type { World } from '../support/world.ts';

export interface TestGateway {
  app: App;
  url: string;
  /** What it logged as errors. */
  errors: string[];
}

export type TestGatewayOptions = Partial<GatewayOptions>;

/** A gateway that listens, on a world with a worker. With the header `x-tenant: other` it serves another tenant. */
export function useGateway(options: TestGatewayOptions = {}): {
  world: () => World;
  gateway: () => TestGateway;
} {
  let other: Turnkeeper | undefined;
  let gateway: TestGateway | undefined;
  const world = useWorld({ prepare: startWorker });
  beforeAll(async () => {
    if (!hasPart('temporal') || !hasPart('postgres')) return;
    const { turnkeeper, env } = world();
    const config = loadConfig({ ...process.env, ...env });
    const others = await composeClient(config, { logger: silent, tenant: 'other' });
    other = others;
    const clientFor: GatewayOptions['clientFor'] = ({ headers }) =>
      headers['x-tenant'] === 'other' ? others : turnkeeper;
    gateway = await openGateway({ clientFor, ...options });
  });
  afterAll(async () => {
    if (gateway) await closeGateway(gateway.app);
    await other?.close();
  });
  return {
    world,
    gateway: () => {
      if (!gateway) throw new Error('The gateway is open only while tests run.');
      return gateway;
    },
  };
}

async function startWorker(world: World): Promise<void> {
  await world.startWorker();
}

export async function openGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const errors: string[] = [];
  const app = await createGateway({
    clientFor: () => {
      throw new Error('This gateway has no client.');
    },
    limits: DEFAULT_LIMITS,
    maxStreams: 100,
    info: { version: '0.0.0', temporalUi: null, namespace: 'default', runsOn: ['tests'] },
    logger: {
      ...silent,
      error: (message, fields) => errors.push(JSON.stringify({ message, ...fields })),
    },
    ...options,
  });
  const url = await listen(app, { host: '127.0.0.1', port: 0 });
  return { app, url, errors };
}

export interface Answer {
  status: number;
  headers: Headers;
  body: JsonObject;
}

/** Sends a request, with a body as JSON where there is one, and reads the answer as JSON. */
export async function call(
  { url }: TestGateway,
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...json, ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer = text === '' ? {} : (JSON.parse(text) as JsonObject);
  return { status: response.status, headers: response.headers, body: answer };
}

/** How many sockets the server holds. */
export function connectionsOf({ app }: TestGateway): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** What is refused, as every refusal looks. */
export function refusal(code: string, details?: JsonObject) {
  return { error: { code, ...(details && { details }) } };
}

export const silent = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
