import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encryptingCodec, readingCodec } from '../../src/encryption/codec.ts';
import { createDataKeys } from '../../src/encryption/data-keys.ts';
import { createKeyring } from '../../src/encryption/keyring.ts';
import { remoteCodec } from '../../src/encryption/remote.ts';
import { closeGateway } from '../../src/gateway/listen.ts';
import { contextOf, keysInMemory, masterKey, newTurnId, payloadOf } from '../encryption/keys.ts';
import { call, openGateway, refusal, type TestGateway } from './use-gateway.ts';

const WEB_UI = 'http://localhost:8233';
const PATH = '/api/codec/decode';
const keyring = createKeyring([masterKey('one')]);
const keys = createDataKeys({ store: keysInMemory(), keyring, patienceMs: 0 });

let open: TestGateway;
let closed: TestGateway;

beforeAll(async () => {
  const codec = remoteCodec(readingCodec(keys));
  open = await openGateway({ codec, codecOrigin: WEB_UI });
  closed = await openGateway({ codec });
});
afterAll(async () => {
  await closeGateway(open.app);
  await closeGateway(closed.app);
});

const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64');

async function encrypted(value: unknown) {
  const codec = encryptingCodec(keys);
  const [payload] = await codec.encode([payloadOf(value)], contextOf(newTurnId()));
  const entries = Object.entries(payload?.metadata ?? {});
  const metadata = Object.fromEntries(entries.map(([name, bytes]) => [name, base64(bytes)]));
  return { metadata, data: base64(payload?.data ?? '') };
}

describe('the codec server', () => {
  it("decodes for the Web UI's pages, and tells browsers that they may ask", async () => {
    const headers = { origin: WEB_UI, 'sec-fetch-site': 'same-site', 'x-namespace': 'default' };
    const payloads = [await encrypted({ name: 'Clerk' }), { data: base64('1') }];
    const answered = await call(open, 'POST', PATH, { body: { payloads }, headers });
    expect(answered.status).toBe(200);
    expect(answered.headers.get('access-control-allow-origin')).toBe(WEB_UI);
    expect(answered.body).toEqual({
      payloads: [
        { metadata: { encoding: base64('json/plain') }, data: base64('{"name":"Clerk"}') },
        { metadata: {}, data: base64('1') },
      ],
    });
    const preflight = await call(open, 'OPTIONS', PATH, { headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-namespace');
  });

  it.each([
    ['another site', () => open, { origin: 'https://evil.example' }],
    ["the Web UI's site where it is not configured", () => closed, { origin: WEB_UI }],
  ])('refuses a page of %s', async (_, gateway, headers) => {
    for (const method of ['POST', 'OPTIONS']) {
      const body = method === 'POST' ? { body: { payloads: [] } } : {};
      const answered = await call(gateway(), method, PATH, { ...body, headers });
      expect(answered).toMatchObject({ status: 403, body: refusal('origin_refused') });
      expect(answered.headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it("lets the Web UI's pages ask for nothing else", async () => {
    const answered = await call(open, 'GET', '/api/info', { headers: { origin: WEB_UI } });
    expect(answered).toMatchObject({ status: 403, body: refusal('origin_refused') });
  });

  it('shows the page no error, which it would take for payloads', async () => {
    const answered = await call(open, 'POST', PATH, { body: {}, headers: { origin: WEB_UI } });
    expect(answered.status).toBe(400);
    expect(answered.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('decodes for nobody where no site is configured', async () => {
    const body = { payloads: [await encrypted('secret')] };
    const answered = await call(closed, 'POST', PATH, { body });
    expect(answered).toMatchObject({ status: 404, body: refusal('route_not_found') });
  });

  it.each([
    [{}, 'payloads'],
    [{ payloads: {} }, 'payloads'],
    [{ payloads: [1] }, 'payloads[0]'],
    [{ payloads: [{ data: 1 }] }, 'payloads[0].data'],
    [{ payloads: [{ metadata: { encoding: 1 } }] }, 'payloads[0].metadata'],
  ])('refuses %j', async (body, field) => {
    const answered = await call(open, 'POST', PATH, { body });
    expect(answered).toMatchObject({ status: 400, body: refusal('invalid_request', { field }) });
  });
});
