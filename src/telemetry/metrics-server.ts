import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TurnkeeperError } from '../contracts/errors.ts';
import { describeError } from '../contracts/thrown.ts';
import type { Metrics } from './metrics.ts';

export interface MetricsServerOptions {
  host: string;
  /** 0 for any that is free. */
  port: number;
  metrics: Metrics;
  /** Whether the worker asks for work. */
  isPolling: () => boolean;
}

export interface MetricsServer {
  port: number;
  close(): Promise<void>;
}

/**
 * Serves `GET /metrics` in Prometheus' text format and `GET /healthz`, which is 200 while the worker polls, else 503.
 * @throws TurnkeeperError `invalid_setting` when it cannot listen there
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer(({ method, url = '/' }, response) => {
    const [path] = url.split('?');
    if (method === 'GET' && path === '/metrics') void sendMetrics(response, options.metrics);
    else if (method === 'GET' && path === '/healthz') sendHealth(response, options.isPolling());
    else send(response, 404, 'Here are only /metrics and /healthz.\n');
  });
  await listen(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server.close(), 'close');
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(
  server: Server,
  { host, port }: Pick<MetricsServerOptions, 'host' | 'port'>,
): Promise<void> {
  try {
    await once(server.listen(port, host), 'listening');
  } catch (error) {
    const reason = describeError(error);
    const message = `TURNKEEPER_METRICS_HOST and TURNKEEPER_METRICS_PORT name ${host} and ${port}, where metrics cannot be served: ${reason}.`;
    const details = { setting: 'TURNKEEPER_METRICS_PORT', host, port };
    throw new TurnkeeperError('invalid_setting', message, details, error);
  }
}

async function sendMetrics(response: ServerResponse, { registry }: Metrics): Promise<void> {
  try {
    send(response, 200, await registry.metrics(), registry.contentType);
  } catch {
    send(response, 500, 'The metrics cannot be read.\n');
  }
}

function sendHealth(response: ServerResponse, isPolling: boolean): void {
  if (isPolling) send(response, 200, 'polling\n');
  else send(response, 503, 'not polling\n');
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': contentType }).end(body);
}
