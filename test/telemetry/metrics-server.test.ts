import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { startMetricsServer, type MetricsServer } from '../../src/telemetry/metrics-server.ts';
import { readSeries } from './series.ts';

const HOST = '127.0.0.1';

let server: MetricsServer;
let polling = false;

beforeEach(async () => {
  polling = false;
  const metrics = createMetrics();
  metrics.toolCalls.inc({ tool: 'a"b\\c\nd', outcome: 'failed' });
  server = await startMetricsServer({ host: HOST, port: 0, metrics, isPolling: () => polling });
});
afterEach(() => server.close());

const get = (path: string, init?: RequestInit) =>
  fetch(`http://${HOST}:${server.port}${path}`, init);

describe('the metrics server', () => {
  it('serves metrics as Prometheus reads them', async () => {
    const response = await get('/metrics');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await response.text();
    expect(readSeries(text, 'turnkeeper_tool')).toEqual({
      'turnkeeper_tool_calls_total{tool="a\\"b\\\\c\\nd",outcome="failed"}': 1,
    });
    expect(readSeries(text, 'process_')).toHaveProperty('process_resident_memory_bytes');
    expect((await get('/metrics?name=x')).status).toBe(200);
  });

  it('says whether the worker polls', async () => {
    expect((await get('/healthz')).status).toBe(503);
    polling = true;
    expect((await get('/healthz')).status).toBe(200);
  });

  it.each(['/', '/metrics/', '/../etc/passwd', '//', '/%'])('has nothing at %s', async (path) => {
    expect((await get(path)).status).toBe(404);
  });

  it('answers to GET only', async () => {
    expect((await get('/metrics', { method: 'POST', body: 'x' })).status).toBe(404);
  });

  it('refuses a port that is taken, naming the setting', async () => {
    const { port } = server;
    const again = startMetricsServer({
      host: HOST,
      port,
      metrics: createMetrics(),
      isPolling: () => true,
    });
    await expect(again).rejects.toMatchObject({
      code: 'invalid_setting',
      message: expect.stringContaining('EADDRINUSE') as string,
      details: { setting: 'TURNKEEPER_METRICS_PORT', host: HOST, port },
    });
  });

  it('refuses an address that is not of this machine', async () => {
    const options = {
      host: '203.0.113.1',
      port: 0,
      metrics: createMetrics(),
      isPolling: () => true,
    };
    await expect(startMetricsServer(options)).rejects.toMatchObject({ code: 'invalid_setting' });
  });

  it('closes though somebody keeps a connection', async () => {
    await (await get('/metrics')).text();
    await server.close();
    await expect(get('/metrics')).rejects.toThrow();
    server = await startMetricsServer({
      host: HOST,
      port: server.port,
      metrics: createMetrics(),
      isPolling: () => true,
    });
  });
});
