import { describe, expect, it, vi } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../src/client/search-attributes.ts';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { JsonObject } from '../../src/contracts/json.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { historyToJson } from '../../src/history-json.ts';
import { activitySummaries, closedHistory, decodedPayloads } from '../support/histories.ts';
import { createsOf, endOf, runTurn, startTurn, useWorld } from '../support/turns.ts';

const API_KEY = 'key-of-the-provider';

const world = useWorld(() => ({ OPENAI_API_KEY: API_KEY }));

const answer = (text = 'Yes.'): ScriptStep => ({ kind: 'answer', text });
const callAdd: ScriptStep = {
  kind: 'calls',
  calls: [{ name: 'add', arguments: { a: 8_675_309, b: 4 }, callId: 'c1' }],
};

async function temporalStatus(turnId: string): Promise<string> {
  const handle = world.current.temporal.workflow.getHandle(turnId);
  await handle.result().catch(() => undefined);
  return (await handle.describe()).status.name;
}

describe('how a turn ends in Temporal', () => {
  it.each<[string, string, Partial<AssistantDefinition>, ScriptStep[]]>([
    ['completed', 'COMPLETED', {}, [answer()]],
    ['incomplete', 'COMPLETED', { limits: { maxRounds: 1 }, tools: ['add'] }, [callAdd]],
    ['failed', 'FAILED', {}, [{ kind: 'error', status: 400 }]],
  ])('%s as %s', async (status, closed, assistant, script) => {
    const turn = await runTurn(world.current, { assistant, script });
    expect(turn.status).toBe(status);
    expect(await temporalStatus(turn.id)).toBe(closed);
  });

  it('expired as FAILED, of type expired', async () => {
    const started = await startTurn(world.current, {
      assistant: { limits: { turnTimeoutMs: 1_500 } },
      script: [{ kind: 'hang' }],
    });
    expect((await endOf(world.current, started)).status).toBe('expired');
    expect(await temporalStatus(started.id)).toBe('FAILED');
    const handle = world.current.temporal.workflow.getHandle(started.id);
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'expired' } });
  });

  it.each<[string, ScriptStep]>([
    ['a model call', { kind: 'hold', text: 'one two three', afterDeltas: 1 }],
    [
      'a tool call',
      { kind: 'calls', calls: [{ name: 'wait_and_tell', arguments: { ms: 60_000, label: 'x' } }] },
    ],
  ])('cancelled as CANCELLED, out of %s', async (_, step) => {
    const assistant = { tools: ['wait_and_tell'] };
    const started = await startTurn(world.current, { assistant, script: [step] });
    await vi.waitUntil(async () => {
      const events = await world.current.turnkeeper.turns.steps(started.id);
      const { held } = await world.current.offline.state();
      return held === 1 || events.some(({ kind }) => kind === 'tool');
    }, 10_000);
    expect(await world.current.turnkeeper.turns.cancel(started.id)).toMatchObject({
      state: 'sealed',
      status: 'cancelled',
    });
    expect(await temporalStatus(started.id)).toBe('CANCELLED');
    const next = await runTurn(world.current, {
      conversationId: started.conversationId,
      script: [answer()],
    });
    expect(next.status).toBe('completed');
  });
});

describe('what the Web UI shows of a turn', () => {
  it('is a summary, the steps as they went, and a line for each activity', async () => {
    const turn = await runTurn(world.current, {
      assistant: { name: 'Clerk', model: 'small', tools: ['add'], knowledge: { bases: ['b'] } },
      script: [callAdd, answer()],
    });
    const handle = world.current.temporal.workflow.getHandle(turn.id);
    const history = await closedHistory(world.current, turn.id);
    const described = await handle.describe();
    expect(await described.staticSummary()).toBe('Clerk v1');
    expect(await described.staticDetails()).toContain(turn.conversationId);
    const { currentDetails } = await handle.query<{ currentDetails: string }>(
      '__temporal_workflow_metadata',
    );
    expect(currentDetails.split('\n')).toEqual([
      '- ✔ `retrieve` passages',
      '- ✔ `respond:1` small',
      '- ✔ `tool:c1` add',
      '- ✔ `respond:2` small',
    ]);
    expect(activitySummaries(history)).toEqual([
      ['retrieve', 'passages'],
      ['respond', 'small'],
      ['runTool', 'add'],
      ['respond', 'small'],
    ]);
  });

  it('can be searched by tenant, conversation and assistant', async () => {
    const turn = await runTurn(world.current, { script: [answer()] });
    const { typedSearchAttributes } = await world.current.temporal.workflow
      .getHandle(turn.id)
      .describe();
    expect(typedSearchAttributes.get(SEARCH_ATTRIBUTES.tenant)).toBe('default');
    expect(typedSearchAttributes.get(SEARCH_ATTRIBUTES.conversation)).toBe(turn.conversationId);
    expect(typedSearchAttributes.get(SEARCH_ATTRIBUTES.assistant)).toMatch(/^[0-9a-f-]{36}$/);
  });
});

/** Lines of the worker's log about a turn, once its last one is there. */
async function linesOf(turnId: string): Promise<JsonObject[]> {
  const lines = () => world.log.filter((line) => line['turn'] === turnId);
  await vi.waitUntil(() => lines().some(({ message }) => message === 'turn'), 10_000);
  return lines();
}

describe('the worker’s log', () => {
  it('has one line for each step, with what is needed to find it at the provider', async () => {
    const turn = await runTurn(world.current, {
      assistant: { model: 'small', tools: ['add'], instructions: 'Speak like a pirate.' },
      endUser: 'user-7',
      input: 'How much is seventeen and four?',
      script: [callAdd, answer('Twenty-one it is.')],
    });
    const lines = await linesOf(turn.id);
    const [first, second] = await createsOf(world.current);
    const common = { level: 'info', tenant: 'default', turn: turn.id };
    const call = { ...common, message: 'step', model: 'small', end_user: 'user-7', attempt: 1 };
    expect(lines).toMatchObject([
      { ...call, step: 'respond:1', request_id: first?.id, response_id: first?.responseId },
      {
        ...common,
        message: 'step',
        step: 'tool:c1',
        tool: 'add',
        outcome: 'succeeded',
        attempt: 1,
      },
      { ...call, step: 'respond:2', request_id: second?.id, response_id: second?.responseId },
      { ...common, message: 'turn', status: 'completed', reason: null },
    ]);
    const [asked, tool, answered] = lines;
    const { calls } = turn.usage;
    for (const [line, usage] of [
      [asked, calls[0]],
      [answered, calls[1]],
    ] as const) {
      expect(line?.['prompt_hash']).toMatch(/^[0-9a-f]{16}$/);
      expect(line).toMatchObject({
        input_tokens: usage?.inputTokens,
        output_tokens: usage?.outputTokens,
      });
    }
    expect(answered?.['prompt_hash']).not.toBe(asked?.['prompt_hash']);
    for (const line of [asked, tool, answered]) expect(line?.['ms']).toBeTypeOf('number');
    expect(JSON.stringify(lines)).not.toMatch(/pirate|seventeen|Twenty|8675309|8675313/);
  });
});

describe('the provider’s key', () => {
  it('is in no history, event, step or log line, even when the server quotes it', async () => {
    const message = `Incorrect API key provided: ${API_KEY}.`;
    const turn = await runTurn(world.current, {
      script: [
        { kind: 'failed', code: 'server_error', message, text: 'One moment' },
        { kind: 'error', status: 401, code: 'invalid_api_key', message },
      ],
    });
    expect(turn).toMatchObject({ status: 'failed', reason: 'authentication' });
    expect(turn.message).toContain('Incorrect API key provided: [redacted].');
    const history = await closedHistory(world.current, turn.id);
    const kept = [historyToJson(history), decodedPayloads(history), await linesOf(turn.id), turn];
    expect(JSON.stringify(kept)).not.toContain(API_KEY);
    expect(JSON.stringify(world.log) + world.worker.output()).not.toContain(API_KEY);
  });
});
