import { expect, it } from 'vitest';
import type { JsonObject } from '../../src/contracts/json.ts';
import { jsonLogger } from '../../src/telemetry/logger.ts';

function collect() {
  const written: string[] = [];
  const logger = jsonLogger({ write: (line) => written.push(line) });
  return { logger, written, last: () => JSON.parse(written.at(-1) ?? '') as JsonObject };
}

it('writes one line of JSON per call, with time, level, message and fields', () => {
  const { logger, written, last } = collect();
  logger.info('step settled', { turn: 't-1', tokens: 12, note: 'two\nlines' });
  expect(written).toHaveLength(1);
  expect(written[0]).toMatch(/^[^\n]+\n$/);
  expect(last()).toMatchObject({
    level: 'info',
    message: 'step settled',
    turn: 't-1',
    tokens: 12,
    note: 'two\nlines',
  });
  expect(new Date(String(last()['time'])).toISOString()).toBe(last()['time']);
});

it('tells levels apart', () => {
  const { logger, written } = collect();
  logger.info('a');
  logger.warn('b');
  logger.error('c');
  const levels = written.map((line) => (JSON.parse(line) as JsonObject)['level']);
  expect(levels).toEqual(['info', 'warn', 'error']);
});

it('lets no field pass for the level or the message', () => {
  const { logger, last } = collect();
  logger.error('real', { level: 'info', message: 'forged', time: 'never' });
  expect(last()).toMatchObject({ level: 'error', message: 'real' });
  expect(last()['time']).not.toBe('never');
});

it('never throws: neither for fields that are no JSON nor for a stream that is gone', () => {
  const { logger, last } = collect();
  const circle: JsonObject = {};
  circle['self'] = circle;
  logger.warn('circular', circle);
  expect(last()).toMatchObject({ level: 'warn', message: 'circular' });
  const gone = jsonLogger({
    write: () => {
      throw new Error('EPIPE');
    },
  });
  expect(() => gone.info('lost')).not.toThrow();
});
