import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { AddDocument } from '../../src/client/new-document.ts';
import type { ErrorCode } from '../../src/contracts/errors.ts';
import type { RecordingStarter } from './recording-starter.ts';
import { expectRefused, startWorld, type World } from './world.ts';

const UNKNOWN = '01890000-0000-7000-8000-000000000000';

let world: World;
let client: Turnkeeper;
let starter: RecordingStarter;

beforeAll(async () => {
  world = await startWorld();
  ({ client, starter } = world.client());
});
afterAll(() => world.stop());

const doc = (changes: Partial<AddDocument> = {}): AddDocument => ({
  base: 'handbook',
  name: 'guide.md',
  content: '# Guide\nÜber alles.',
  ...changes,
});

describe('documents', () => {
  it('are stored and their ingestion is started', async () => {
    const record = await client.documents.add(doc());
    const bytes = Buffer.from('# Guide\nÜber alles.');
    expect(record).toMatchObject({
      mediaType: 'text/markdown',
      status: 'stored',
      bytes: bytes.length,
    });
    expect(starter.ingested).toContainEqual({ tenant: 'default', documentId: record.id });
    expect(Buffer.from(await world.store.documents.read('default', record.id))).toEqual(bytes);
    expect(await client.documents.get(record.id)).toEqual(record);
  });

  it('are stored all the same when Temporal is away', async () => {
    const { client: cut, starter: away } = world.client();
    away.away = true;
    const record = await cut.documents.add(doc());
    expect(await cut.documents.get(record.id)).toMatchObject({ status: 'stored' });
    expect(world.logs.at(-1)).toMatchObject({ level: 'warn', fields: { documentId: record.id } });
  });

  it.each([
    ['a.txt', 'text/plain'],
    ['A.TXT', 'text/plain'],
    ['read.me.markdown', 'text/markdown'],
  ])('tell their type from the name %s', async (name, mediaType) => {
    expect(await client.documents.add(doc({ name }))).toMatchObject({ mediaType });
  });

  it('are the same for the same key, be the content text or bytes', async () => {
    const idempotencyKey = 'document-1';
    const { id } = await client.documents.add(doc({ idempotencyKey }));
    const content = Buffer.from('# Guide\nÜber alles.');
    expect((await client.documents.add(doc({ idempotencyKey, content }))).id).toBe(id);
    const other = client.documents.add(doc({ idempotencyKey, content: 'Other' }));
    await expectRefused(other, 'idempotency_conflict', /document-1/);
  });

  it('list by knowledge base', async () => {
    const { id } = await client.documents.add(doc({ base: 'rules' }));
    const { data } = await client.documents.list({ base: 'rules' });
    expect(data.map((record) => record.id)).toEqual([id]);
  });

  it.each<[string, object, ErrorCode, RegExp]>([
    ['a path', { name: '../etc/passwd.txt' }, 'invalid_request', /^name must not have path/],
    ['a path of Windows', { name: 'C:\\a.txt' }, 'invalid_request', /^name must not have path/],
    ['the parent folder', { name: '..' }, 'invalid_request', /^name must be a name/],
    ['a NUL in the name', { name: 'a\0.txt' }, 'invalid_request', /^name must have printable/],
    [
      'a name that reads backwards',
      { name: 'a\u202etxt.md' },
      'invalid_request',
      /^name must have/,
    ],
    ['a long name', { name: `${'a'.repeat(252)}.txt` }, 'invalid_request', /^name .* 255/],
    ['no base', { base: undefined }, 'invalid_request', /^base is missing/],
    ['no content', { content: undefined }, 'invalid_request', /^content must be/],
    ['content of numbers', { content: new Uint16Array(2) }, 'invalid_request', /^content must be/],
    ['empty content', { content: '' }, 'input_empty', /has no content/],
    ['empty bytes', { content: new Uint8Array() }, 'input_empty', /has no content/],
    ['blanks', { content: ' \n' }, 'input_empty', /has no content/],
    ['broken UTF-8', { content: Uint8Array.of(65, 0xff) }, 'document_rejected', /not valid UTF-8/],
    ['half a surrogate pair', { content: 'a\ud800' }, 'document_rejected', /surrogate/],
    ['binary content', { content: Uint8Array.of(65, 0, 66) }, 'document_rejected', /NUL/],
    ['another ending', { name: 'a.pdf' }, 'document_rejected', /does not end in/],
    ['an ending objects have', { name: 'a.constructor' }, 'document_rejected', /does not end in/],
    ['no ending', { name: 'README' }, 'document_rejected', /does not end in/],
    ['another type', { mediaType: 'text/html' }, 'document_rejected', /it is text\/html/],
    ['a field that is not known', { type: 'x' }, 'invalid_request', /^type is not a known field/],
  ])('refuse %s', async (_, changes, code, message) => {
    const before = await client.documents.list({ limit: 100 });
    await expectRefused(client.documents.add(doc(changes)), code, message);
    expect(await client.documents.list({ limit: 100 })).toEqual(before);
  });

  it('take a type that the name does not tell', async () => {
    const record = await client.documents.add(doc({ name: 'README', mediaType: 'text/plain' }));
    expect(record.mediaType).toBe('text/plain');
  });

  it('refuse more than the limit, naming it', async () => {
    const { client: small } = world.client({ limits: { maxDocumentBytes: 3 } });
    await expect(small.documents.add(doc({ content: 'üü' }))).rejects.toMatchObject({
      code: 'input_too_large',
      details: { limit: 'maxDocumentBytes', max: 3, actual: 4 },
    });
  });

  it("do not tell of another tenant's", async () => {
    const { id } = await client.documents.add(doc());
    const { client: other } = world.client({ tenant: 'other' });
    await expectRefused(other.documents.get(id), 'document_not_found', /no document/);
    await expectRefused(other.documents.whenIndexed(id), 'document_not_found', /no document/);
    await expectRefused(client.documents.get(UNKNOWN), 'document_not_found', /no document/);
    await expectRefused(client.documents.get('nope'), 'document_not_found', /"nope"/);
  });
});

describe('waiting for a document', () => {
  it('ends when it is indexed', async () => {
    const { id } = await client.documents.add(doc());
    const waiting = client.documents.whenIndexed(id);
    await world.store.documents.markIndexed('default', id, 3);
    expect(await waiting).toMatchObject({ status: 'indexed', chunks: 3 });
  });

  it('ends when it has failed', async () => {
    const { id } = await client.documents.add(doc());
    const error = { reason: 'broken', message: 'No text.' };
    await world.store.documents.markFailed('default', id, error);
    expect(await client.documents.whenIndexed(id)).toMatchObject({ status: 'failed', error });
  });

  it('ends with the reason of the signal', async () => {
    const { id } = await client.documents.add(doc());
    const abort = new AbortController();
    const waiting = client.documents.whenIndexed(id, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
