import { describe, expect, it } from 'vitest';
import { createKeyring } from '../../src/encryption/keyring.ts';
import { requireMasterKeys, rotateKeys } from '../../src/encryption/rotate.ts';
import {
  SECRET,
  codecOver,
  contextOf,
  encoded,
  keysInMemory,
  masterKey,
  newTurnId,
  valueOf,
} from './keys.ts';

describe('rotating the master key', () => {
  it('wraps every key anew, and what they encrypted stays readable', async () => {
    const store = keysInMemory();
    const [old, fresh] = [masterKey('old'), masterKey('new')];
    const before = codecOver(store, old);
    const turns = Array.from({ length: 5 }, newTurnId);
    const payloads = await Promise.all(turns.map((turn) => encoded(before, turn)));
    const both = createKeyring([fresh, old]);
    expect(await rotateKeys(store, both)).toBe(5);
    expect(await rotateKeys(store, both)).toBe(0);
    await requireMasterKeys(store, createKeyring([fresh]));
    const after = codecOver(store, fresh);
    for (const [n, turn] of turns.entries()) {
      const decoded = await after.decode([payloads[n] ?? {}], contextOf(turn));
      expect(valueOf(decoded[0])).toEqual(SECRET);
    }
  });

  it.each([
    ['without any key', null],
    ['without the one that wrapped another', createKeyring([masterKey('new')])],
    ['with other bytes for it', createKeyring([masterKey('old')])],
  ])('refuses to start %s', async (_, keyring) => {
    const store = keysInMemory();
    await requireMasterKeys(store, keyring);
    await encoded(codecOver(store, masterKey('old')), newTurnId());
    await expect(requireMasterKeys(store, keyring)).rejects.toMatchObject({
      code: 'invalid_setting',
      details: { key: 'old' },
    });
  });
});
