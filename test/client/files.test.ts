import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { ErrorCode } from '../../src/contracts/errors.ts';
import type { FileRecord, FileStore } from '../../src/contracts/store.ts';
import { StoreUnavailable } from '../../src/contracts/store.ts';
import { expectRefused, newTalk, startWorld, type World } from './world.ts';

const UNKNOWN = '01890000-0000-7000-8000-000000000000';
const CONTENT = Buffer.from('a,b\n1,2\n');

let world: World;
let client: Turnkeeper;

beforeAll(async () => {
  world = await startWorld();
  ({ client } = world.client());
});
afterAll(() => world.stop());

/** Does what a tool does that makes a file. */
async function madeFile(name = 'table.csv'): Promise<FileRecord> {
  const { id: turnId } = await client.turns.start({ ...(await newTalk(client)), input: 'Hello' });
  const file = { turnId, name, mediaType: 'text/csv', content: CONTENT, key: `${turnId}:${name}` };
  const [record] = await world.store.files.create('default', [file]);
  if (!record) throw new Error('The file was not stored.');
  return record;
}

describe('files', () => {
  it('are found and read by their id', async () => {
    const record = await madeFile();
    expect(await client.files.get(record.id.toUpperCase())).toEqual(record);
    expect(record).toMatchObject({ name: 'table.csv', mediaType: 'text/csv', bytes: 8 });
    expect(Buffer.from(await client.files.read(record.id))).toEqual(CONTENT);
  });

  it('list by turn', async () => {
    const record = await madeFile();
    await madeFile();
    const { data } = await client.files.list({ turnId: record.turnId });
    expect(data).toEqual([record]);
    const newest = await client.files.list({ limit: 1, order: 'desc' });
    expect(newest.nextCursor).not.toBeNull();
    expect(newest.data).not.toEqual([record]);
  });

  it.each<[string, object, ErrorCode, RegExp]>([
    ['a turn that is none', { turnId: 'nope' }, 'turn_not_found', /"nope"/],
    ['an unknown turn', { turnId: UNKNOWN }, 'turn_not_found', /no turn/],
    ['a turn that is no text', { turnId: 7 }, 'invalid_request', /^turnId must be a string/],
    ['another filter', { name: 'a' }, 'invalid_request', /^name is not a known field/],
    ['a page of none', { limit: 0 }, 'invalid_request', /^limit must be/],
    ['a cursor of another list', { cursor: '!' }, 'invalid_cursor', /cursor/],
  ])('refuse to be listed by %s', async (_, filter, code, message) => {
    await expectRefused(client.files.list(filter), code, message);
  });

  it("do not tell of another tenant's", async () => {
    const { id, turnId } = await madeFile();
    const { client: other } = world.client({ tenant: 'other' });
    await expectRefused(other.files.get(id), 'file_not_found', /no file/);
    await expectRefused(other.files.read(id), 'file_not_found', /no file/);
    await expectRefused(other.files.list({ turnId }), 'turn_not_found', /no turn/);
    expect((await other.files.list()).data).toEqual([]);
  });

  it('that are unknown are told by a code', async () => {
    for (const id of [UNKNOWN, 'nope', '../etc/passwd']) {
      await expectRefused(client.files.get(id), 'file_not_found', /There is no file/);
      await expectRefused(client.files.read(id), 'file_not_found', /There is no file/);
    }
  });

  it('tell of an outage of the database by a code', async () => {
    const { id } = await madeFile();
    const away = () => Promise.reject(new StoreUnavailable(new Error('connection refused')));
    const files: FileStore = { create: away, get: away, list: away, read: away };
    const { client: cut } = world.client({ store: { ...world.store, files } });
    for (const work of [cut.files.get(id), cut.files.read(id), cut.files.list()]) {
      await expectRefused(work, 'database_unreachable', /refused/);
    }
  });
});
