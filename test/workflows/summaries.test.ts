import { describe, expect, it, vi } from 'vitest';
import type { Json, JsonObject } from '../../src/contracts/json.ts';
import type { ConversationSummary } from '../../src/contracts/store.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { SUMMARY_HEADING } from '../../src/conversation/summary.ts';
import { activityInputs, closedHistory, costOf, decodedPayloads } from '../support/histories.ts';
import { SOON } from '../support/talk.ts';
import { createsOf, endOf, inputOf, itemsOf, runTurn, useWorld } from '../support/turns.ts';

const world = useWorld();

const BUDGET = 1_000;
const ASSISTANT = { context: { maxTokens: BUDGET } };
const TURNS = 60;
const HANDED_ON = 'Summary of the earlier conversation';

/** For a call that summarizes, and for no other. */
const toSummarize = { when: { inputContains: SUMMARY_HEADING } };
const answers = (times: number): ScriptStep => ({ kind: 'answer', text: 'So it is.', times });
const summary = (text: string, times = 1): ScriptStep => ({
  ...toSummarize,
  kind: 'answer',
  text,
  times,
});
const question = (n: number, words = 20) => `Question ${n}: ${'word '.repeat(words)}`.trim();

interface Talk {
  conversationId: string;
  assistantId: string;
}

async function newTalk(): Promise<Talk> {
  const { turnkeeper } = world.current;
  const definition = { name: 'A', model: 'm', ...ASSISTANT };
  const { id: assistantId } = await turnkeeper.assistants.create(definition);
  const { id: conversationId } = await turnkeeper.conversations.create();
  return { conversationId, assistantId };
}

async function ask(talk: Talk, input: string): Promise<string> {
  const { id } = await world.current.turnkeeper.turns.start({ ...talk, input });
  const { status } = await endOf(world.current, { ...talk, id });
  expect(status).toBe('completed');
  return id;
}

/** Two turns: the first takes all the room, and the second asks for a summary of it. Answers the second one's id. */
async function outgrow(talk: Talk): Promise<string> {
  await ask(talk, question(1, 900));
  return ask(talk, question(2));
}

/** Bodies of the requests since the script was set: those that summarize, and those of turns. */
async function requests(): Promise<{ summaries: JsonObject[]; turns: JsonObject[] }> {
  const bodies = (await createsOf(world.current)).map(({ body }) => body as JsonObject);
  const summarizes = (body: JsonObject) => JSON.stringify(body).includes(SUMMARY_HEADING);
  return {
    summaries: bodies.filter(summarizes),
    turns: bodies.filter((body) => !summarizes(body)),
  };
}

const summaryOf = async ({ conversationId }: Talk): Promise<ConversationSummary | null> =>
  (await world.current.turnkeeper.conversations.get(conversationId)).summary;

async function untilSummarized(talk: Talk, text: string): Promise<void> {
  await vi.waitFor(async () => expect(await summaryOf(talk)).toMatchObject({ text }), SOON);
}

async function untilAsked(count: number): Promise<void> {
  await vi.waitFor(async () => expect((await requests()).summaries).toHaveLength(count), SOON);
}

/** What a call that summarizes was told: the summary before, and the texts after it. */
function record(request: JsonObject | undefined): { before: Json; texts: string[] } {
  const [, before = '', next = ''] = String(inputOf(request)[0]?.['content']).split('\n\n');
  const lines = next.split('\n').slice(1);
  return {
    before: JSON.parse(before.split('\n')[1] ?? '') as Json,
    texts: lines.map((line) => String((JSON.parse(line) as JsonObject)['text'])),
  };
}

/** The start of the input, which a provider caches, changes when a summary comes, and in no turn between. */
function expectStable(turns: JsonObject[]): void {
  const inputs = turns.map((request) => JSON.stringify(inputOf(request)));
  const changes = inputs.filter((input, n) => n > 0 && !input.startsWith(goingOn(inputs[n - 1])));
  expect(changes.length).toBeGreaterThan(1);
  expect(changes.length).toBeLessThan(turns.length / 4);
}

/** Of an input, what stays where more is said. */
const goingOn = (input = '') => input.slice(0, -1);

const workflowOf = ({ conversationId }: Talk) =>
  world.current.temporal.workflow.getHandle(`summary:${conversationId}`);

describe('a conversation of sixty turns with room for a few', { timeout: 180_000 }, () => {
  it('goes on within its budget, told by summaries of what it is not shown any more', async () => {
    const talk = await newTalk();
    await world.current.offline.script([summary('They spoke.', TURNS), answers(TURNS)]);
    for (let n = 1; n <= TURNS; n++) {
      const id = await ask(talk, question(n));
      const { usage } = await world.current.turnkeeper.turns.result(id);
      // As the provider counts them, and not as we estimate them.
      expect(usage.inputTokens).toBeLessThanOrEqual(BUDGET);
    }
    const { turns, summaries } = await requests();
    expect(turns).toHaveLength(TURNS);
    expect(summaries.length).toBeGreaterThan(1);
    expect(summaries.length).toBeLessThan(TURNS / 4);
    expectStable(turns);
    const [first] = inputOf(turns.at(-1));
    expect(JSON.stringify(first)).toContain(HANDED_ON);
    expect(JSON.stringify(first)).toContain('They spoke.');
    expect(JSON.stringify(inputOf(turns.at(-1)).at(-1))).toContain(`Question ${TURNS}:`);
  });
});

describe('a summary', { timeout: 120_000 }, () => {
  it('is made of the summary before and of what was said since, each item once', async () => {
    const talk = await newTalk();
    await world.current.offline.script([summary('First.'), summary('Second.'), answers(40)]);
    let asked = 0;
    const askUntil = async (text: string) => {
      while ((await summaryOf(talk))?.text !== text) await ask(talk, question(++asked));
    };
    await askUntil('First.');
    await askUntil('Second.');
    const [first, second] = (await requests()).summaries.map(record);
    expect(first?.before).toBeNull();
    expect(second?.before).toBe('First.');
    const told = [...(first?.texts ?? []), ...(second?.texts ?? [])];
    const items = await itemsOf(world.current, talk.conversationId);
    const texts = items.map(({ content }) => (content as JsonObject[])[0]?.['text']);
    expect(told).toEqual(texts.slice(0, told.length));
    expect(second?.texts.length).toBeGreaterThan(2);
    expect(await summaryOf(talk)).toMatchObject({ text: 'Second.', through: told.length });
  });

  it('is waited for by no turn: what it is to cover is left out until it is there', async () => {
    const talk = await newTalk();
    const held: ScriptStep = { ...toSummarize, kind: 'hold', text: 'At last.', afterDeltas: 1 };
    await world.current.offline.script([held, answers(7)]);
    await outgrow(talk);
    await untilAsked(1);
    for (let n = 3; n <= 6; n++) await ask(talk, question(n, 100));
    const { turns } = await requests();
    expect(JSON.stringify(turns[1])).toContain('Question 1:');
    for (const request of turns.slice(2)) {
      expect(JSON.stringify(request)).not.toContain('Question 1:');
      expect(JSON.stringify(request)).toContain('Question 2:');
      expect(JSON.stringify(request)).not.toContain(HANDED_ON);
    }
    expect((await requests()).summaries).toHaveLength(1);
    await world.current.offline.release();
    await untilSummarized(talk, 'At last.');
    await ask(talk, question(7));
    expect(JSON.stringify((await requests()).turns.at(-1))).toContain('At last.');
    const left = world.log.filter(
      (line) => line['tenant'] === 'default' && Number(line['items_left_out']) > 0,
    );
    expect(left.length).toBeGreaterThanOrEqual(4);
  });

  it('goes on, in the same workflow, with what was asked for while it was made', async () => {
    const talk = await newTalk();
    const held: ScriptStep = { ...toSummarize, kind: 'hold', text: 'At last.', afterDeltas: 1 };
    await world.current.offline.script([held, summary('And on.'), answers(12)]);
    await outgrow(talk);
    await untilAsked(1);
    for (let n = 3; n <= 12; n++) await ask(talk, question(n, 100));
    await world.current.offline.release();
    await untilSummarized(talk, 'And on.');
    const [, second] = (await requests()).summaries.map(record);
    expect(second?.before).toBe('At last.');
    expect(second?.texts[0]).toContain('Question 2:');
    const history = await closedHistory(world.current, workflowOf(talk).workflowId);
    expect(activityInputs(history, 'summarize')).toHaveLength(2);
  });

  it('leaves nothing of what was said in Temporal, and costs the turn that asks nothing', async () => {
    const talk = await newTalk();
    await world.current.offline.script([summary('They spoke of word.'), answers(2)]);
    const id = await outgrow(talk);
    expect(costOf(await closedHistory(world.current, id))).toMatchObject({
      workflowTasks: 2,
      events: 12,
    });
    await untilSummarized(talk, 'They spoke of word.');
    const history = await closedHistory(world.current, workflowOf(talk).workflowId);
    const { conversationId } = talk;
    expect(activityInputs(history, 'summarize')).toEqual([{ tenant: 'default', conversationId }]);
    expect(decodedPayloads(history)).not.toContain('word');
    expect(costOf(history)).toMatchObject({ workflowTasks: 2, events: 11 });
  });

  it('is told in the log with what it cost', async () => {
    const talk = await newTalk();
    await world.current.offline.script([
      { ...summary('In short.'), usage: { inputTokens: 77, outputTokens: 5 } } as ScriptStep,
      answers(2),
    ]);
    await outgrow(talk);
    const { conversationId } = talk;
    await vi.waitFor(
      () =>
        expect(world.log).toContainEqual(
          expect.objectContaining({
            message: 'summary',
            conversation: conversationId,
            input_tokens: 77,
            output_tokens: 5,
          }),
        ),
      SOON,
    );
  });
});

describe('a model that cannot be had for a summary', { timeout: 120_000 }, () => {
  it('is asked again until it can, while turns go on', async () => {
    const talk = await newTalk();
    const away: ScriptStep = { ...toSummarize, kind: 'error', status: 503, times: 2 };
    await world.current.offline.script([away, summary('In short.'), answers(3)]);
    await outgrow(talk);
    await untilAsked(1);
    await ask(talk, question(3));
    await untilSummarized(talk, 'In short.');
    expect((await requests()).summaries).toHaveLength(3);
  });

  it('for good is not asked again by every sweep', async () => {
    const talk = await newTalk();
    const refused: ScriptStep = { ...toSummarize, kind: 'error', status: 401, times: 9 };
    await world.current.offline.script([refused, answers(4)]);
    await outgrow(talk);
    await expect(workflowOf(talk).result()).rejects.toThrow();
    await ask(talk, question(3));
    await ask(talk, question(4));
    const [due] = await world.current.sql<{ hours: number }>(
      `SELECT round(extract(epoch FROM summary_wanted_at - now()) / 3600)::int AS hours
       FROM turnkeeper.conversations WHERE id = $1`,
      [talk.conversationId],
    );
    expect(due).toEqual({ hours: 1 });
    expect((await requests()).summaries).toHaveLength(1);
    expect(await summaryOf(talk)).toBeNull();
  });

  it('is stood in for by the fallback model', async () => {
    const script: ScriptStep[] = [
      { ...toSummarize, kind: 'error', status: 404, message: 'No such model.' },
      summary('By another one.'),
      answers(2),
    ];
    const first = await runTurn(world.current, {
      assistant: { ...ASSISTANT, fallbackModel: 'other' },
      script: [answers(1)],
      input: question(1, 900),
    });
    await world.current.offline.script(script);
    const { conversationId } = first;
    const { id } = await world.current.turnkeeper.assistants.create({
      name: 'A',
      model: 'm',
      fallbackModel: 'other',
      ...ASSISTANT,
    });
    const talk = { conversationId, assistantId: id };
    await ask(talk, question(2));
    await untilSummarized(talk, 'By another one.');
    expect((await requests()).summaries.map(({ model }) => model)).toEqual(['m', 'other']);
  });
});
