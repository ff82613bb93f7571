import { describe, expect, it } from 'vitest';
import type { ToolPolicy } from '../../src/contracts/turn.ts';
import { calledTools } from '../../src/conversation/history.ts';

const scheduled = (activity: string, input: unknown) => ({
  activityTaskScheduledEventAttributes: {
    activityType: { name: activity },
    input: { payloads: [{ data: Buffer.from(JSON.stringify(input)) }] },
  },
});
const toolRun = (name: string, policy: ToolPolicy | null) =>
  scheduled('runTool', { call: { name, policy } });

describe('the tools that a history called', () => {
  it('are those that had been offered, each once', () => {
    const events = [
      {},
      scheduled('respond', { model: 'small' }),
      toolRun('add', 'idempotent'),
      toolRun('add', 'idempotent'),
      toolRun('made_up', null),
      toolRun('send', 'at-most-once'),
    ];
    expect(calledTools({ events })).toEqual([
      { name: 'add', policy: 'idempotent' },
      { name: 'send', policy: 'at-most-once' },
    ]);
  });

  it('are none where nothing happened', () => {
    expect(calledTools({})).toEqual([]);
    expect(calledTools({ events: [scheduled('ingest', {})] })).toEqual([]);
  });

  it('cannot be told from inputs that are no JSON', () => {
    const encrypted = toolRun('add', 'idempotent');
    encrypted.activityTaskScheduledEventAttributes.input.payloads = [
      { data: Buffer.from([1, 2, 3]) },
    ];
    expect(() => calledTools({ events: [encrypted] })).toThrow(SyntaxError);
  });
});
