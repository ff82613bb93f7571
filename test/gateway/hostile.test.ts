import { request as httpRequest } from 'node:http';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import { createClient } from '../../src/client/client.ts';
import { DEFAULT_LIMITS } from '../../src/conversation/limits.ts';
import { closeGateway, listen } from '../../src/gateway/listen.ts';
import { call, openGateway, refusal, silent, type TestGateway } from './use-gateway.ts';

const LIMITS = { ...DEFAULT_LIMITS, maxInputBytes: 1_000, maxDocumentBytes: 1_000 };

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await openGateway({ clientFor: clientOfNothing, limits: LIMITS });
});

afterAll(() => closeGateway(gateway.app));

/** Checks requests as every client does, on a store that must not be reached. */
function clientOfNothing(): Turnkeeper {
  const reached = new Proxy(
    {},
    { get: () => () => Promise.reject(new Error('the secret of the store')) },
  );
  const store = new Proxy({}, { get: () => reached });
  return createClient({
    store: store as never,
    starter: {} as never,
    logger: silent,
    limits: LIMITS,
    close: () => Promise.resolve(),
  });
}

async function send(
  path: string,
  body: string | Buffer,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) {
  const response = await fetch(`${gateway.url}${path}`, { method: 'POST', body, headers });
  return [response.status, await response.json()];
}

describe('a body that is no request', () => {
  it.each([
    ['half of JSON', '{"name":'],
    ['invalid UTF-8', Buffer.from([0x22, 0xc3, 0x28, 0x22])],
    ['a prototype', '{"__proto__":{"admin":true},"name":"A","model":"m"}', '__proto__'],
    ['a prototype in it', '{"name":"A","model":"m","limits":{"__proto__":{}}}', 'limits.__proto__'],
  ])('of %s is refused', async (_, body, field = 'body') => {
    expect(await send('/api/assistants', body)).toMatchObject([
      400,
      refusal('invalid_request', { field }),
    ]);
  });

  it('of nothing is an empty object: many programs name the type of a body that they do not send', async () => {
    expect(await send('/api/assistants', '')).toMatchObject([
      400,
      { error: { message: expect.stringContaining('name') as string } },
    ]);
  });

  it('of another type is refused', async () => {
    const headers = { 'content-type': 'application/xml' };
    expect(await send('/api/assistants', '<a/>', headers)).toMatchObject([
      400,
      refusal('invalid_request'),
    ]);
  });

  it('of text, as any page may send it, is refused', async () => {
    const headers = { 'content-type': 'text/plain' };
    const body = JSON.stringify({ name: 'A', model: 'm' });
    expect(await send('/api/assistants', body, headers)).toMatchObject([
      400,
      refusal('invalid_request', { field: 'content-type' }),
    ]);
  });

  it('that is nested deeper than anybody needs is refused', async () => {
    const deep = `${'['.repeat(300)}${']'.repeat(300)}`;
    const body = `{"name":"A","model":"m","modelOptions":{"a":${deep}}}`;
    expect(await send('/api/assistants', body)).toMatchObject([400, refusal('invalid_request')]);
  });

  it.each([
    ['/api/assistants', 1_001, 1_000],
    [`/api/conversations/${randomUUID()}/turns`, 66_537, 66_536],
    ['/api/conversations', 81_921, 81_920],
    ['/api/documents?base=b&name=a.md', 1_001, 1_000],
  ])('to %s over the limit is refused with the limit', async (path, bytes, max) => {
    expect(await send(path, 'x'.repeat(bytes))).toMatchObject([
      413,
      refusal('input_too_large', { max }),
    ]);
  });
});

describe('an id that is none', () => {
  const IDS = [
    'x',
    '1',
    "'; DROP TABLE turns; --",
    '../../etc/passwd',
    '%00',
    '\u202eevil',
    '🦫'.repeat(5),
    'null',
    randomUUID().slice(1),
  ];
  it.each(IDS)('is unknown: %s', async (id) => {
    const segment = id === '%00' ? id : encodeURIComponent(id);
    for (const path of ['', '/events', '/steps', '/result']) {
      const answered = await call(gateway, 'GET', `/api/turns/${segment}${path}`);
      expect(answered).toMatchObject({ status: 404, body: refusal('turn_not_found') });
    }
  });

  it.each(['%zz', 'x'.repeat(100), 'x'.repeat(10_000)])(
    'does not fit into a route: %s',
    async (segment) => {
      const { status, body } = await call(gateway, 'GET', `/api/turns/${segment}`);
      expect([400, 404]).toContain(status);
      expect(body).toMatchObject({ error: { message: expect.any(String) as string } });
    },
  );
});

describe('a request for what is not there', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/api'],
    ['GET', '/api/turns'],
    ['DELETE', '/api/assistants'],
    ['PUT', '/health'],
    ['GET', '/console/../app.ts'],
    ['GET', '/console/%2e%2e/app.ts'],
  ])('%s %s gets a typed error', async (method, path) => {
    expect(await call(gateway, method, path)).toMatchObject({
      status: 404,
      body: refusal('route_not_found'),
    });
  });
});

describe('what is no request at all', () => {
  /** Answers status line and body. */
  async function sendRaw(text: string): Promise<[string, unknown]> {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    socket.end(text);
    const answer = await readText(socket);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    return [head.split('\r\n')[0] ?? '', JSON.parse(body)];
  }

  it.each([
    ['an unknown method', 'FOO / HTTP/1.1\r\n\r\n', 'HTTP/1.1 400 Bad Request'],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
      'HTTP/1.1 431 Request Header Fields Too Large',
    ],
  ])('is refused in the form of every other mistake: %s', async (_, text, status) => {
    expect(await sendRaw(text)).toMatchObject([status, refusal('invalid_request')]);
  });
});

describe('a monitor', () => {
  it.each([
    ['/health', 200],
    ['/console', 200],
    ['/api/info', 404],
  ])('may ask for the head of %s: %i', async (path, status) => {
    expect((await fetch(`${gateway.url}${path}`, { method: 'HEAD' })).status).toBe(status);
  });
});

describe('a mistake of the server', () => {
  it('is logged, and its answer tells nothing of it', async () => {
    const answered = await call(gateway, 'GET', `/api/turns/${randomUUID()}`);
    expect(answered).toMatchObject({ status: 500, body: refusal('internal_error') });
    expect(JSON.stringify(answered.body)).not.toMatch(/secret|stack|\.ts/);
    expect(gateway.errors.at(-1)).toContain('the secret of the store');
  });
});

describe('a page of another site', () => {
  /** `fetch` sets these headers itself. */
  function sendAs(headers: Record<string, string>, path = '/health'): Promise<[number, string]> {
    return new Promise((resolve, reject) => {
      const sent = httpRequest(`${gateway.url}${path}`, { headers }, (response) => {
        let text = '';
        response.on('data', (data: Buffer) => (text += data.toString()));
        response.on('end', () => resolve([response.statusCode ?? 0, text]));
      });
      sent.on('error', reject).end();
    });
  }

  it.each([
    ['its own origin', { origin: 'https://evil.example' }],
    ['no origin that it would tell', { origin: 'null' }],
    ['another port of this machine', { origin: 'http://127.0.0.1:1' }],
    [
      'no origin, as for a picture',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    ],
    ['a name that was pointed at this machine', { host: 'evil.example' }],
    ['a name that looks like this machine', { host: '127.0.0.1.evil.example' }],
  ])('is refused with %s', async (_, headers) => {
    const [status, text] = await sendAs(headers);
    expect([status, JSON.parse(text)]).toMatchObject([403, refusal('origin_refused')]);
  });

  it('may link to the console', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect((await sendAs(headers, '/console'))[0]).toBe(200);
  });

  it('is no page of ours, and no program', async () => {
    const { host } = new URL(gateway.url);
    for (const headers of [{ origin: gateway.url }, { host }, { host: 'localhost:8787' }]) {
      expect((await sendAs(headers as Record<string, string>))[0]).toBe(200);
    }
  });
});

describe('an address that others reach', () => {
  it.each(['0.0.0.0', '::', '192.168.1.1', 'example.com', '127.0.0.1.evil.example', ''])(
    'is not listened on: %s',
    async (host) => {
      const listening = listen(gateway.app, { host, port: 0 });
      await expect(listening).rejects.toMatchObject({
        code: 'invalid_setting',
        details: { setting: 'TURNKEEPER_HOST' },
      });
    },
  );

  it('that is taken is refused with what to change', async () => {
    const port = Number(new URL(gateway.url).port);
    await expect(listen(gateway.app, { host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'invalid_setting',
      details: { setting: 'PORT' },
    });
  });
});
