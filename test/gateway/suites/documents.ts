import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../src/store/postgres.ts';
import { OTHER, type Resources } from '../resources.ts';
import { refusal } from '../use-gateway.ts';

export function documentRoutes({ ask, document, ended, gateway, world }: Resources): void {
  describe('documents and files', () => {
    const add = (query: string, content: Buffer, type?: string, more = {}) =>
      fetch(`${gateway().url}/api/documents?${query}`, {
        method: 'POST',
        body: content,
        headers: { ...(type !== undefined && { 'content-type': type }), ...more },
      });

    it('take the bytes of a document as they are, once for each key', async () => {
      const key = { 'idempotency-key': randomUUID() };
      const bytes = Buffer.from('# Travel\n\nNever on Mondays. Jamais le lundi, même à Noël.');
      const first = await add('base=b&name=a.md', bytes, 'text/markdown; charset=utf-8', key);
      const record = (await first.json()) as { id: string };
      document().check('POST', '/api/documents', first.status, record);
      expect(record).toMatchObject({ mediaType: 'text/markdown', bytes: bytes.length });
      const again = await add('base=b&name=a.md', bytes, 'text/markdown', key);
      expect(await again.json()).toMatchObject({ id: record.id });
      expect((await ask('GET', `/api/documents/${record.id}`)).body).toMatchObject({
        name: 'a.md',
      });
      expect((await ask('GET', '/api/documents?base=b')).body['data']).toHaveLength(1);
      expect((await ask('GET', '/api/documents?base=other')).body['data']).toHaveLength(0);
    });

    it('tell a document by its name where its type is not told', async () => {
      const answered = await add('base=b&name=plain.txt', Buffer.from('Words.'));
      expect(await answered.json()).toMatchObject({ mediaType: 'text/plain' });
    });

    it.each([
      ['base=b&name=a.md', Buffer.from([0xc3, 0x28]), undefined, 422, 'document_rejected'],
      ['base=b&name=a.pdf', Buffer.from('%PDF'), 'application/pdf', 422, 'document_rejected'],
      ['base=b&name=a.md', Buffer.alloc(0), undefined, 400, 'input_empty'],
      ['base=b&name=a/b.md', Buffer.from('x'), undefined, 400, 'invalid_request'],
      ['name=a.md', Buffer.from('x'), undefined, 400, 'invalid_request'],
      ['base=b', Buffer.from('x'), undefined, 400, 'invalid_request'],
      ['base=b&name=a.md', Buffer.alloc(10_485_761, 'x'), undefined, 413, 'input_too_large'],
    ])('refuse ?%s with what cannot be a document', async (query, content, type, status, code) => {
      const answered = await add(query, content, type);
      expect([answered.status, await answered.json()]).toMatchObject([status, refusal(code)]);
    });

    it('hand out files to be saved, never to be shown', async () => {
      const { id: turnId } = await ended();
      const name = 'evil "page" – ü.html';
      const content = '<script>alert(1)</script>';
      const id = await storeFile(turnId, name, content);
      expect((await ask('GET', `/api/files?turnId=${turnId}`)).body['data']).toHaveLength(1);
      expect((await ask('GET', `/api/files/${id}`)).body).toMatchObject({ id, name });
      const answered = await fetch(`${gateway().url}/api/files/${id}/content`);
      document().check('GET', `/api/files/${id}/content`, answered.status, null);
      expect(await answered.text()).toBe(content);
      expect(Object.fromEntries(answered.headers)).toMatchObject({
        'content-type': 'application/octet-stream',
        'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; sandbox",
      });
      const foreign = await ask('GET', `/api/files/${id}/content`, { headers: OTHER });
      expect(foreign).toMatchObject({ status: 404, body: refusal('file_not_found') });
    });
  });

  /** As a tool does that makes one. */
  async function storeFile(turnId: string, name: string, content: string): Promise<string> {
    const store = await openStore({ connectionString: world().databaseUrl, poolSize: 1 });
    const file = { turnId, name, mediaType: 'text/html', content: Buffer.from(content), key: name };
    const [record] = await store.files.create('default', [file]).finally(() => store.close());
    return String(record?.id);
  }
}
