import { describe, expect, it, vi } from 'vitest';
import { SUMMARY_HEADING } from '../../src/conversation/summary.ts';
import type { JsonObject } from '../../src/contracts/json.ts';
import type { ConversationSummary } from '../../src/contracts/store.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import type { Point } from '../support/points.ts';
import { chosenRows } from '../support/sample.ts';
import {
  createsOf,
  expectNextTurn,
  newTalk,
  resultOf,
  say,
  SOON,
  type Talk,
} from '../support/talk.ts';
import { useWorkers } from '../support/use-workers.ts';
import { useCutOffWorld } from '../support/use-cut-off-world.ts';

const SAMPLED_ROWS = 1;
const OUTAGE_MS = 8_000;
const TIMEOUT_MS = 120_000;
const TEXT = 'They spoke of beavers.';

const { world, proxy } = useCutOffWorld();
const workers = useWorkers(() => world().startWorker());

const toSummarize = { when: { inputContains: SUMMARY_HEADING } };
const summary: ScriptStep = { ...toSummarize, kind: 'answer', text: TEXT };
const heldSummary: ScriptStep = { ...toSummarize, kind: 'hold', text: 'Lost.', afterDeltas: 1 };
const answers: ScriptStep = { kind: 'answer', text: 'So it is.', times: 2 };

/** Two turns, the second of which asks for a summary of the first. */
async function outgrow(script: ScriptStep[]): Promise<Talk> {
  const talk = await newTalk(world(), { context: { maxTokens: 1_000 } });
  await world().offline.script([...script, answers]);
  for (const input of ['beaver '.repeat(900), 'And?']) {
    const result = await resultOf(world(), await say(world(), talk, input));
    expect(result.status).toBe('completed');
  }
  return talk;
}

const summaryOf = async ({ conversationId }: Talk): Promise<ConversationSummary | null> =>
  (await world().turnkeeper.conversations.get(conversationId)).summary;

async function summaryRequests(): Promise<JsonObject[]> {
  const bodies = (await createsOf(world())).map(({ body }) => body as JsonObject);
  return bodies.filter((body) => JSON.stringify(body).includes(SUMMARY_HEADING));
}

/** The whole summary is there, once, and its workflow has come to its end. */
async function expectSummarized(talk: Talk, requests: number): Promise<void> {
  const { workflow } = world().temporal;
  await vi.waitFor(
    async () => expect(await summaryOf(talk)).toEqual({ text: TEXT, through: 2 }),
    SOON,
  );
  const handle = workflow.getHandle(`summary:${talk.conversationId}`);
  await handle.result();
  expect((await handle.describe()).status.name).toBe('COMPLETED');
  expect(await summaryRequests()).toHaveLength(requests);
  await expectNextTurn(world(), talk);
  const [request] = await createsOf(world());
  expect(JSON.stringify(request?.body)).toContain(TEXT);
}

describe('a worker that is killed while it summarizes', { timeout: TIMEOUT_MS }, () => {
  const KILLS: { name: string; point: Point; script: ScriptStep[] }[] = [
    {
      name: 'before it has asked the model: another worker does',
      point: 'summarize: before',
      script: [summary],
    },
    {
      name: 'before the summary was stored: the model is asked again',
      point: 'summarize: after the call',
      script: [{ ...summary, text: 'Lost.' }, summary],
    },
    {
      name: 'right after it was stored: the model is not asked again',
      point: 'summarize: stored',
      script: [summary],
    },
  ];

  it.each(chosenRows(KILLS, SAMPLED_ROWS))('$name', async ({ point, script }) => {
    const victim = await workers.next();
    const reached = victim.hangAt(point);
    const talk = await outgrow(script);
    await reached;
    victim.kill('SIGKILL');
    const rescuer = await workers.next();
    await expectSummarized(talk, script.length);
    workers.keep(rescuer);
  });

  it('while the model writes: the model is asked again', async () => {
    const victim = await workers.next();
    const talk = await outgrow([heldSummary, summary]);
    await vi.waitFor(async () => expect(await summaryRequests()).toHaveLength(1), SOON);
    victim.kill('SIGKILL');
    const rescuer = await workers.next();
    await expectSummarized(talk, 2);
    workers.keep(rescuer);
  });
});

describe('a database that is away while a summary is made', { timeout: TIMEOUT_MS }, () => {
  it('gets it when it is back, and the model is not asked again', async () => {
    const worker = await workers.next();
    const written = worker.hangAt('summarize: after the call');
    const talk = await outgrow([summary]);
    await written;
    const outage = proxy().outage(OUTAGE_MS);
    worker.letGo();
    await outage;
    await expectSummarized(talk, 1);
    workers.keep(worker);
  });
});

describe('a summary whose workflow was lost', { timeout: TIMEOUT_MS }, () => {
  it('is begun again by a sweep, once its hour is over', async () => {
    const worker = await workers.next();
    const reached = worker.hangAt('summarize: before');
    const talk = await outgrow([summary]);
    await reached;
    const { workflow } = world().temporal;
    await workflow.getHandle(`summary:${talk.conversationId}`).terminate('by an operator');
    worker.kill('SIGKILL');
    await world().sql(
      `UPDATE turnkeeper.conversations SET summary_wanted_at = now() - interval '1 minute' WHERE id = $1`,
      [talk.conversationId],
    );
    const rescuer = await workers.next();
    await expectSummarized(talk, 1);
    workers.keep(rescuer);
  });
});
