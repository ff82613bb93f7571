import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { createKeyring } from '../../src/encryption/keyring.ts';
import { newKey } from '../../src/encryption/cipher.ts';
import { keySetting, masterKey } from '../encryption/keys.ts';
import { newPlace } from '../store/fixtures.ts';
import { turnkeeper } from '../support/command-line.ts';
import { describePostgres } from '../support/stores.ts';

async function rotate(env: Record<string, string>): Promise<{ code: unknown; lines: string[] }> {
  const { code, stdout } = await turnkeeper(['keys', 'rotate'], env);
  return { code, lines: stdout.trim().split('\n') };
}

describePostgres('turnkeeper keys rotate', (database) => {
  test(
    'wraps all keys with the first one, and names what is missing',
    { timeout: 60_000 },
    async () => {
      const { store } = database;
      const [old, fresh] = [masterKey('old'), masterKey('new')];
      const dataKey = newKey();
      const wrapped = createKeyring([old]).wrap(randomUUID(), dataKey);
      const { conversationId: id } = await newPlace(store);
      await store.keys.ensure({ kind: 'conversation', id }, wrapped);

      const env = (...keys: (typeof old)[]) => ({
        DATABASE_URL: database.url,
        TURNKEEPER_ENCRYPTION_KEYS: keySetting(...keys),
      });
      const alone = await rotate(env(fresh));
      expect(alone.code).toBe(1);
      expect(alone.lines[0]).toContain('the key old');
      expect(await rotate(env())).toMatchObject({ code: 1 });
      const done = await rotate(env(fresh, old));
      expect(done).toMatchObject({ code: 0 });
      expect(done.lines.at(-1)).toContain('1 keys');
      const rewrapped = await store.keys.find(wrapped.id);
      expect(rewrapped?.wrappedBy).toBe('new');
      if (rewrapped) expect(dataKey.equals(createKeyring([fresh]).unwrap(rewrapped))).toBe(true);
    },
  );
});
