import type { Payload, PayloadCodec } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { StoreUnavailable, type KeyStore } from '../../src/contracts/store.ts';
import { encryptingCodec, keylessCodec, readingCodec } from '../../src/encryption/codec.ts';
import { ownerOf } from '../../src/encryption/owner.ts';
import { createRecent } from '../../src/encryption/recent.ts';
import { remoteCodec } from '../../src/encryption/remote.ts';
import { failure } from '../store/fixtures.ts';
import {
  SECRET,
  codecOver,
  contextOf,
  encoded as encodedFor,
  keysInMemory,
  keysOver,
  masterKey,
  newTurnId,
  payloadOf,
  text,
  valueOf,
} from './keys.ts';

const TURN = newTurnId();

const encoded = (codec: PayloadCodec, workflowId = TURN) => encodedFor(codec, workflowId);

describe('the codec', () => {
  it('gives back what it encrypted, and shows neither it nor its encoding', async () => {
    const codec = codecOver(keysInMemory());
    const payload = await encoded(codec);
    expect(text(payload.metadata?.['encoding'])).toBe('binary/turnkeeper');
    expect(text(payload.data)).not.toMatch(/Clerk|json\/plain/);
    const [plain] = await codec.decode([payload], contextOf(TURN));
    expect(text(plain?.metadata?.['encoding'])).toBe('json/plain');
    expect(valueOf(plain)).toEqual(SECRET);
  });

  it('encrypts the same text otherwise each time', async () => {
    const codec = codecOver(keysInMemory());
    const [one, two] = [await encoded(codec), await encoded(codec)];
    expect(text(one.data)).not.toBe(text(two.data));
    expect(text(one.metadata?.['key'])).toBe(text(two.metadata?.['key']));
  });

  it('passes on what it does not know, and no payloads at all', async () => {
    const codec = codecOver(keysInMemory());
    const plain = payloadOf(SECRET);
    expect(await codec.decode([plain], contextOf(TURN))).toEqual([plain]);
    expect(await codec.encode([], contextOf(TURN))).toEqual([]);
  });

  it.each([[{}], [{ data: [] as unknown as Uint8Array }]])(
    'encrypts that a workflow returned nothing, %j',
    async (nothing) => {
      const codec = codecOver(keysInMemory());
      const encrypted = await codec.encode(
        [{ ...payloadOf(undefined), ...nothing }],
        contextOf(TURN),
      );
      const [plain] = await codec.decode(encrypted, contextOf(TURN));
      expect(valueOf(plain)).toBeUndefined();
    },
  );

  it('encrypts nothing that belongs to no workflow', async () => {
    const codec = codecOver(keysInMemory());
    await expect(codec.encode([payloadOf(1)])).rejects.toEqual(failure('payload_unreadable'));
  });

  it.each(['data', 'key', 'place'] as const)('refuses a payload with another %s', async (part) => {
    const keys = keysOver(keysInMemory());
    const codec = encryptingCodec(keys);
    const payload = await encoded(codec);
    const other = await encoded(codec, newTurnId());
    const mixed =
      part === 'data'
        ? { ...payload, data: flipped(payload.data) }
        : { ...payload, metadata: { ...payload.metadata, [part]: bytesOf(other, part) } };
    // Those who are told no workflow refuse it as well.
    for (const reader of [codec, readingCodec(keys)])
      await expect(reader.decode([mixed], contextOf(TURN))).rejects.toEqual(
        failure('payload_unreadable'),
      );
  });

  it('refuses a payload that was put into another workflow, or another namespace', async () => {
    const codec = codecOver(keysInMemory());
    const payload = await encoded(codec);
    for (const context of [contextOf(newTurnId()), contextOf(TURN, 'other')])
      await expect(codec.decode([payload], context)).rejects.toEqual(failure('payload_unreadable'));
  });

  it('says so when the key is gone', async () => {
    const store = keysInMemory();
    const master = masterKey('one');
    const payload = await encoded(codecOver(store, master));
    store.rows.clear();
    const decoding = codecOver(store, master).decode([payload], contextOf(TURN));
    await expect(decoding).rejects.toEqual(failure('key_gone'));
  });

  it('names the setting when the master key is missing, or has other bytes', async () => {
    const store = keysInMemory();
    const payload = await encoded(codecOver(store, masterKey('one')));
    for (const master of [masterKey('one'), masterKey('two')]) {
      const decoding = codecOver(store, master).decode([payload], contextOf(TURN));
      await expect(decoding).rejects.toMatchObject({
        code: 'invalid_setting',
        details: { setting: 'TURNKEEPER_ENCRYPTION_KEYS', key: 'one' },
      });
    }
  });

  it('encrypts for nobody what comes from a workflow of nothing that is here', async () => {
    const store = keysInMemory(() => false);
    const codec = codecOver(store);
    for (const workflowId of [TURN, 'started-by-hand']) {
      const payload = await encoded(codec, workflowId);
      const decoding = codec.decode([payload], contextOf(workflowId));
      await expect(decoding).rejects.toEqual(failure('key_gone'));
    }
    expect(store.rows.size).toBe(0);
  });

  it('asks the database once for a turn', async () => {
    const store = keysInMemory();
    const codec = codecOver(store);
    for (let n = 0; n < 10; n++) await codec.decode([await encoded(codec)], contextOf(TURN));
    expect(store.asked()).toBe(1);
  });

  it('names the setting to a process without keys, which reads the rest', async () => {
    const payload = await encoded(codecOver(keysInMemory()));
    const plain = [payloadOf(SECRET)];
    expect(await keylessCodec.decode(await keylessCodec.encode(plain))).toEqual(plain);
    await expect(keylessCodec.decode([...plain, payload])).rejects.toMatchObject({
      code: 'missing_setting',
      details: { setting: 'TURNKEEPER_ENCRYPTION_KEYS' },
    });
  });

  it('waits for a database that is away, for as long as it may', async () => {
    const store = keysInMemory();
    let failures = 1;
    const away = {
      ...store,
      ensure: (...args: Parameters<KeyStore['ensure']>) => {
        if (failures-- > 0) return Promise.reject(new StoreUnavailable('away'));
        return store.ensure(...args);
      },
    };
    const patient = encryptingCodec(keysOver(away, masterKey('one'), Infinity));
    expect(valueOf((await patient.decode([await encoded(patient)], contextOf(TURN)))[0])).toEqual(
      SECRET,
    );
    failures = 1;
    const encoding = encoded(encryptingCodec(keysOver(away)));
    await expect(encoding).rejects.toMatchObject({ name: 'StoreUnavailable' });
  });
});

describe('the remote codec', () => {
  it('decodes what it can, and says of the rest why not', async () => {
    const store = keysInMemory();
    const keys = keysOver(store);
    const codec = encryptingCodec(keys);
    const gone = await encoded(encryptingCodec(keysOver(keysInMemory(() => false))), newTurnId());
    const good = await encoded(codec);
    const plain = payloadOf('plain');
    const tampered = { ...good, data: flipped(good.data) };
    const sent = [good, plain, tampered, gone].map(toJson);
    const answers = await remoteCodec(readingCodec(keys)).decode(sent);
    expect(
      answers.map(({ data }) => JSON.parse(Buffer.from(data, 'base64').toString()) as unknown),
    ).toEqual([SECRET, 'plain', 'unreadable: it was changed', 'deleted: its key is gone']);
  });
});

describe('a workflow id', () => {
  it.each([
    [TURN, { kind: 'turn', id: TURN }],
    [`compensate:${TURN}`, { kind: 'turn', id: TURN }],
    [`summary:${TURN}`, { kind: 'conversation', id: TURN }],
    [`ingest:${TURN}`, { kind: 'document', id: TURN }],
    ['by-hand', null],
    [`other:${TURN}`, null],
    ['ingest:x', null],
  ])('%s says whose key it is', (workflowId, owner) => {
    expect(ownerOf(workflowId)).toEqual(owner);
  });
});

describe('keys that were used last', () => {
  it('are kept up to a number, and for a time', () => {
    let now = 0;
    const recent = createRecent<number>(2, 10, () => now);
    recent.set('a', 1);
    recent.set('b', 2);
    expect(recent.get('a')).toBe(1);
    recent.set('c', 3);
    expect(['a', 'b', 'c'].map((key) => recent.get(key))).toEqual([1, undefined, 3]);
    now = 10;
    expect(recent.get('a')).toBeUndefined();
  });
});

function flipped(data: Uint8Array | null | undefined): Uint8Array {
  const copy = Buffer.from(data ?? []);
  copy[20] = (copy[20] ?? 0) ^ 1;
  return copy;
}

function bytesOf({ metadata }: Payload, name: string): Uint8Array {
  return metadata?.[name] ?? new Uint8Array();
}

function toJson({ metadata, data }: Payload) {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  return {
    metadata: Object.fromEntries(entries) as Record<string, string>,
    data: base64(data ?? new Uint8Array()),
  };
}
