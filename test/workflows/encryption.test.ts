import { describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import type { JsonObject } from '../../src/contracts/json.ts';
import { compensationId } from '../../src/contracts/starter.ts';
import { SUMMARY_HEADING } from '../../src/conversation/summary.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { historyToJson } from '../../src/history-json.ts';
import { replayTurns } from '../../src/replay.ts';
import { keySetting, masterKey } from '../encryption/keys.ts';
import { closedHistory, costOf, decodedPayloads } from '../support/histories.ts';
import { compensationOf, REFUSAL } from '../support/compensating.ts';
import { SOON } from '../support/talk.ts';
import { testTools } from '../support/tools.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { freshTaskQueue } from '../support/temporal.ts';
import { endOf, runTurn, startTurn, useWorld, type TurnSetup } from '../support/turns.ts';
import type { TestWorker, World } from '../support/world.ts';

const SETTING = keySetting(masterKey('test'));
const world = useWorld((databaseUrl) => ({
  TURNKEEPER_ENCRYPTION_KEYS: SETTING,
  VECTOR_DATABASE_URL: databaseUrl,
}));

const ASSISTANT = {
  name: 'Clerk of Oz',
  model: 'emerald-model',
  instructions: 'Never mention the wizard.',
};
const CALLS: TurnSetup['script'] = [
  { kind: 'calls', calls: [{ name: 'add', arguments: { a: 1, b: 1 }, callId: 'call_ruby' }] },
  { kind: 'answer', text: 'There is no place like home.' },
];
/** Whatever a turn was told, says, calls and is called. */
const SECRETS =
  /Clerk of Oz|emerald|the wizard|call_ruby|place like|slippers|Toto|call_pay|"add"|conversationId/i;

/** All that Temporal keeps of a workflow, as text. */
async function kept(workflowId: string): Promise<{ text: string; json: unknown }> {
  const history = await closedHistory(world.current, workflowId);
  const json = historyToJson(history);
  return { text: `${decodedPayloads(history)}\n${JSON.stringify(json)}`, json };
}

/** Nothing of it can be read in Temporal, and it replays with its keys. */
async function expectBlind(...workflowIds: string[]): Promise<void> {
  const histories: Record<string, unknown> = {};
  for (const id of workflowIds) {
    const { text, json } = await kept(id);
    expect(text, id).not.toMatch(SECRETS);
    expect(text, id).toContain('binary/turnkeeper');
    histories[id] = json;
  }
  const config = loadConfig({ ...process.env, ...world.current.env });
  await replayTurns({ histories, tools: testTools('/dev/null'), config });
}

function callWith(name: string, args: JsonObject): ScriptStep {
  return { kind: 'calls', calls: [{ name, arguments: args, callId: `call_${name}` }] };
}

/** Another task queue, where no worker of the world takes anything. */
const ELSEWHERE = { TURNKEEPER_TASK_QUEUE: freshTaskQueue() };
const WITHOUT_KEYS = { ...ELSEWHERE, TURNKEEPER_ENCRYPTION_KEYS: '' };
const HI: TurnSetup = { script: [{ kind: 'answer', text: 'Hi.' }] };

// First of all: no worker starts without keys once the database has some.
describe('an encrypted turn that a worker cannot read', { timeout: 120_000 }, () => {
  let elsewhere: World;
  let proxy: TcpProxy;
  let worker: TestWorker;
  const untilTold = (by: TestWorker, code: string) =>
    vi.waitFor(() => expect(by.output()).toContain(code), SOON);

  it('waits for one that has the keys, and for its own key', async () => {
    const { startWorker, client, sql, databaseUrl } = world.current;
    const keyless = await startWorker({ env: WITHOUT_KEYS });
    elsewhere = { ...world.current, turnkeeper: await client(undefined, ELSEWHERE) };
    const turn = await startTurn(elsewhere, HI);
    await untilTold(keyless, 'missing_setting');
    keyless.kill('SIGKILL');
    const [key] = await sql<object>(
      'DELETE FROM turnkeeper.data_keys RETURNING id, conversation_id, wrapped, wrapped_by',
    );
    proxy = await startTcpProxy(new URL(databaseUrl).host);
    const env = { ...ELSEWHERE, DATABASE_URL: proxy.through(databaseUrl) };
    worker = await startWorker({ env });
    await untilTold(worker, 'key_gone');
    await sql(
      'INSERT INTO turnkeeper.data_keys (id, conversation_id, wrapped, wrapped_by) VALUES ($1, $2, $3, $4)',
      Object.values(key ?? {}),
    );
    expect(await endOf(elsewhere, turn)).toMatchObject({ status: 'completed', answer: 'Hi.' });
  });

  it('waits for a database that is away when the key is needed', async () => {
    proxy.cut();
    const turn = await startTurn(elsewhere, HI);
    await vi.waitFor(async () => {
      const { events } = await world.current.temporal.workflow.getHandle(turn.id).fetchHistory();
      expect(events?.some((event) => event.workflowTaskStartedEventAttributes)).toBe(true);
    }, SOON);
    proxy.restore();
    expect(await endOf(elsewhere, turn)).toMatchObject({ status: 'completed', answer: 'Hi.' });
    worker.kill('SIGKILL');
    await proxy.stop();
  });
});

describe('a turn with encryption', () => {
  it('leaves nothing of what it is about in its history, which replays with its keys', async () => {
    const assistant = { ...ASSISTANT, tools: ['add'] };
    const turn = await runTurn(world.current, { assistant, script: CALLS });
    expect(turn).toMatchObject({ status: 'completed', answer: 'There is no place like home.' });
    await expectBlind(turn.id);
    const { json } = await kept(turn.id);
    const config = loadConfig({ ...process.env, ...world.current.env });
    const tools = testTools('/dev/null');
    const others = tools.filter(({ name }) => name !== 'add');
    await expect(
      replayTurns({ histories: { turn: json }, tools: others, config }),
    ).rejects.toMatchObject({ code: 'history_replay_failed' });
  });

  it('leaves nothing of large inputs, tool results and what is undone, and stays small', async () => {
    const { current } = world;
    const label = 'Ruby slippers. '.repeat(4_000);
    const script = [
      callWith('wait_and_tell', { ms: 0, label }),
      callWith('pay', { to: 'Toto' }),
      REFUSAL,
    ];
    const assistant = { ...ASSISTANT, tools: ['wait_and_tell', 'pay'] };
    const { id } = await runTurn(current, {
      assistant,
      script,
      input: 'Toto, too. '.repeat(9_000),
    });
    const undone = await compensationOf(current, await current.turnkeeper.turns.get(id));
    expect(undone).toMatchObject([{ key: 'compensate:call_pay', status: 'completed' }]);
    await expectBlind(id, compensationId(id));
    expect(costOf(await closedHistory(current, id)).bytes).toBeLessThan(20_000);
  });

  it('leaves nothing in the history of a summary', async () => {
    const { current } = world;
    const assistant = { ...ASSISTANT, context: { maxTokens: 1_000 } };
    const answer = { kind: 'answer', text: 'In the basket.' } as const;
    const input = `Where is Toto? ${'Toto '.repeat(900)}`;
    const { conversationId } = await runTurn(current, { assistant, script: [answer], input });
    const summary = { ...answer, times: 9, when: { inputContains: SUMMARY_HEADING } };
    const script = [answer, summary];
    await endOf(current, await startTurn(current, { assistant, script, conversationId }));
    await vi.waitFor(async () => {
      const conversation = await current.turnkeeper.conversations.get(conversationId);
      expect(conversation.summary).toMatchObject({ text: answer.text });
    }, SOON);
    await expectBlind(`summary:${conversationId}`);
  });

  it('keeps what a document is called and has in it out of the history of its ingestion', async () => {
    const { documents } = world.current.turnkeeper;
    const content = 'The emerald city is behind the poppies.';
    const { id } = await documents.add({ base: 'oz', name: 'emerald.md', content });
    expect(await documents.whenIndexed(id, { timeoutMs: 30_000 })).toMatchObject({
      status: 'indexed',
    });
    await expectBlind(`ingest:${id}`);
  });

  it('takes as many workflow tasks and events as one without, and more bytes', async () => {
    const { id } = await runTurn(world.current, {
      assistant: { name: 'A', model: 'm' },
      script: [{ kind: 'answer', text: 'Hi.' }],
    });
    const cost = costOf(await closedHistory(world.current, id));
    expect(cost).toMatchObject({ workflowTasks: 2, events: 12 });
    expect(Math.abs(cost.bytes - BYTES), `${cost.bytes} bytes`).toBeLessThanOrEqual(64);
  });

  it('keeps messages of failures to itself, too', async () => {
    const refusal = { kind: 'error', status: 400, message: 'The wizard is out.' } as const;
    const turn = await runTurn(world.current, { assistant: ASSISTANT, script: [refusal] });
    expect(turn).toMatchObject({ status: 'failed' });
    expect(turn.message).toContain('wizard');
    const { text } = await kept(turn.id);
    expect(text).not.toMatch(SECRETS);
    expect(text).toContain('Encoded failure');
  });

  it('is blind once its conversation is deleted', async () => {
    const { turnkeeper, temporal, sql } = world.current;
    const turn = await runTurn(world.current, {
      assistant: ASSISTANT,
      script: [{ kind: 'answer', text: 'Bye.' }],
    });
    const { json } = await kept(turn.id);
    const deleted = await turnkeeper.conversations.delete(turn.conversationId);
    expect(deleted).toMatchObject({ id: turn.conversationId, finished: true });
    expect(deleted.remains.map(({ where }) => where)).toContain('temporal');
    await expect(turnkeeper.turns.get(turn.id)).rejects.toMatchObject({ code: 'turn_not_found' });
    const config = loadConfig({ ...process.env, ...world.current.env });
    const replaying = replayTurns({ histories: { turn: json }, tools: [], config });
    await expect(replaying).rejects.toMatchObject({ code: 'key_gone' });
    expect(
      await sql('SELECT 1 FROM turnkeeper.conversations WHERE id = $1', [turn.conversationId]),
    ).toEqual([]);
    expect((await temporal.workflow.getHandle(turn.id).describe()).status.name).toBe('COMPLETED');
  });
});

/** What a plain turn's history has with encryption; without it, 2,998. */
const BYTES = 4_421;
