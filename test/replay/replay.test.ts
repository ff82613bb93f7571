import { DeterminismViolationError } from '@temporalio/workflow';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isTurnkeeperError } from '../../src/contracts/errors.ts';
import type { ToolDefinition } from '../../src/contracts/tools.ts';
import { historyFromJson, historyToJson } from '../../src/history-json.ts';
import { replayTurns } from '../../src/replay.ts';
import {
  keptHistories,
  keptHistory,
  keptText,
  keptVersions,
  type ExportedHistory,
} from './kept-histories.ts';
import { tools } from './tools.ts';

const VERSION = 'v0.1.0';
const KEPT = [
  'actions',
  'cancelled',
  'compensation',
  'expired',
  'failed',
  'fallback-answer',
  'fallback-model',
  'incomplete',
  'ingestion',
  'one-tool',
  'plain',
  'retrieval',
  'summary',
  'three-tools',
];

// Replays that fail, as some do here by intention, would fill the screen.
Runtime.install({
  logger: new DefaultLogger('ERROR', () => undefined),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
});

/** What the helper finds wrong, each problem by itself. */
async function problemsOf(histories: Record<string, unknown>, given = tools): Promise<string[]> {
  return replayTurns({ histories, tools: given }).then(
    () => [],
    (error: unknown) => {
      if (!isTurnkeeperError(error, 'history_replay_failed')) throw error;
      return error.details['problems'] as string[];
    },
  );
}

/** Where a history ends while activities are under way. */
function restingPlaces(events: ExportedHistory['events']): number[] {
  const of = (type: string) => (event: ExportedHistory['events'][number]) =>
    event['eventType'] === `EVENT_TYPE_${type}`;
  return events.flatMap((event, index) => {
    const next = events[index + 1];
    const scheduled = of('ACTIVITY_TASK_SCHEDULED');
    return scheduled(event) && next && !scheduled(next) ? [index + 1] : [];
  });
}

describe('the workflows of this release', () => {
  it.each(keptVersions())('replay every history that was kept of %s', async (version) => {
    const histories = keptHistories(version);
    expect(Object.keys(histories)).toEqual(expect.arrayContaining(KEPT));
    await replayTurns({ histories, tools });
  });

  it('replay turns that are still running', async () => {
    const histories = Object.entries(keptHistories(VERSION)).flatMap(([name, { events }]) =>
      restingPlaces(events).map((end): [string, ExportedHistory] => [
        `${name} up to ${end}`,
        { events: events.slice(0, end) },
      ]),
    );
    expect(histories.length).toBeGreaterThan(KEPT.length);
    await replayTurns({ histories: Object.fromEntries(histories), tools });
  });

  it('would not replay them with a timer more', async () => {
    const workflowsPath = fileURLToPath(new URL('./changed-workflows.ts', import.meta.url));
    const histories = ['plain', 'ingestion'].map((workflowId) => ({
      workflowId,
      history: historyFromJson(keptHistory(VERSION, workflowId)),
    }));
    const errors: Record<string, unknown> = {};
    for await (const result of Worker.runReplayHistories({ workflowsPath }, histories)) {
      errors[result.workflowId] = result.error;
    }
    expect(errors['plain']).toBeInstanceOf(DeterminismViolationError);
    expect(errors['ingestion']).toBeUndefined();
  });
});

describe('replayTurns', () => {
  it('names the histories that do not fit the workflows, and only those', async () => {
    const plain = keptHistory(VERSION, 'plain');
    const text = JSON.stringify(plain).replaceAll('"name":"respond"', '"name":"think"');
    const problems = await problemsOf({ plain, tampered: JSON.parse(text) as unknown });
    expect(problems).toEqual([expect.stringMatching(/^tampered does not replay: .*respond/s)]);
  });

  it('names the tools that turns have called and that are missing', async () => {
    const histories = keptHistories(VERSION);
    expect(
      await problemsOf(
        histories,
        tools.filter(({ name }) => name !== 'add'),
      ),
    ).toEqual([
      'actions calls the tool add, which is not there.',
      'one-tool calls the tool add, which is not there.',
      'three-tools calls the tool add, which is not there.',
    ]);
  });

  it('names the tools whose policy has changed', async () => {
    const changed = tools.map((tool): ToolDefinition =>
      tool.name === 'send' ? { ...tool, policy: 'idempotent' } : tool,
    );
    expect(await problemsOf({ turn: keptHistory(VERSION, 'three-tools') }, changed)).toEqual([
      'turn calls send as at-most-once; it is idempotent now.',
    ]);
  });

  it('knows the built-in tool, which no application names', async () => {
    const text = JSON.stringify(keptHistory(VERSION, 'one-tool'));
    const renamed = text.replace(/"data":"([^"]+)"/g, (_, data: string) => {
      const payload = Buffer.from(data, 'base64').toString();
      const called = payload.replaceAll('"name":"add"', '"name":"run_code"');
      return `"data":"${Buffer.from(called).toString('base64')}"`;
    });
    expect(renamed).not.toBe(text);
    expect(await problemsOf({ turn: JSON.parse(renamed) as unknown }, [])).toEqual([]);
  });

  it('takes what the SDK’s fetchHistory() answers as well', async () => {
    const exported = keptHistory(VERSION, 'three-tools');
    expect(await problemsOf({ turn: historyFromJson(exported) }, [])).toHaveLength(2);
    expect(await problemsOf({ turn: historyFromJson(exported) })).toEqual([]);
  });

  it('names what is not the history of a workflow', async () => {
    const { events } = keptHistory(VERSION, 'plain');
    const broken = { events: [{ ...events[0], eventTime: 'yesterday' }, ...events.slice(1)] };
    const problems = await problemsOf({ none: null, text: 'x', empty: { events: [] }, broken });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(
      ['none', 'text', 'empty', 'broken'].map((name) => `${name} is not the history of a workflow`),
    );
  });

  it('refuses a tool set that a worker would refuse', async () => {
    await expect(replayTurns({ histories: {}, tools: [...tools, ...tools] })).rejects.toMatchObject(
      {
        code: 'duplicate_tool',
      },
    );
  });
});

describe('a kept history', () => {
  const kept = keptVersions().flatMap((version) =>
    Object.keys(keptHistories(version)).map((name) => [version, name] as const),
  );

  it.each(kept)('%s/%s is in the form that it is exported in', (version, name) => {
    const text = keptText(version, name);
    const history = historyFromJson(JSON.parse(text));
    expect(`${JSON.stringify(historyToJson(history), null, 2)}\n`).toBe(text);
  });

  it.each(kept)('%s/%s tells nothing of the machine that it was recorded on', (version, name) => {
    const text = keptText(version, name);
    expect(text).not.toMatch(/stackTrace|node_modules/);
    const processes = text.match(/\b\d+@[\w.-]+/g) ?? [];
    expect(new Set(processes)).toEqual(new Set(['1@host']));
  });
});
