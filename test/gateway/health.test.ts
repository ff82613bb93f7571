import { expect, test } from 'vitest';
import { StoreUnavailable } from '../../src/contracts/store.ts';
import { checkHealth } from '../../src/gateway/health.ts';
import { closeGateway } from '../../src/gateway/listen.ts';
import { call, openGateway, refusal } from './use-gateway.ts';

test('health is refused while the database does not answer', async () => {
  const away = () => Promise.reject(new StoreUnavailable(new Error('away')));
  const gateway = await openGateway({ databaseAnswers: away });
  const { status, body } = await call(gateway, 'GET', '/health');
  expect(status).toBe(503);
  expect(body).toMatchObject(refusal('database_unreachable'));
  await closeGateway(gateway.app);
});

test('however many ask for health, the database is asked once', async () => {
  let asked = 0;
  let answer: () => void = () => undefined;
  const healthy = checkHealth(() => {
    asked += 1;
    return new Promise((resolve) => (answer = resolve));
  });
  const first = [healthy(), healthy()];
  answer();
  await Promise.all(first);
  await healthy();
  expect(asked).toBe(1);
});

test('a database that is silent does not keep whoever asks for health waiting', async () => {
  const healthy = checkHealth(() => new Promise(() => undefined));
  await expect(healthy()).rejects.toMatchObject({ code: 'database_unreachable' });
});
