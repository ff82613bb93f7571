import { describe, expect, it } from 'vitest';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { killer, type KillRow, type SurvivedTurn } from '../support/kill.ts';
import { countOf } from '../support/reading.ts';
import { chosenRows } from '../support/sample.ts';
import { answer, callOf, REAL_USAGE, untilShown } from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';

const LOST = 'Beavers build dams of mud, it was said, and then nobody remembered.';
const ANSWER = 'Beavers build dams and lodges out of branches.';
const SAMPLED_ROWS = 4;

const BACKGROUND = { assistant: { generation: 'background' } } satisfies Partial<KillRow>;

/** The provider goes on with it: no other call is made, and nothing is taken back. */
const ONCE = {
  ...BACKGROUND,
  script: [answer(ANSWER)],
  answer: ANSWER,
  calls: ['completed'],
  rewinds: 0,
  check: expectStreamedOnce,
} satisfies Partial<KillRow>;

/** The response is nowhere to be found: another one is made. */
const AGAIN = {
  ...BACKGROUND,
  script: [answer(LOST), answer(ANSWER)],
  answer: ANSWER,
  calls: ['abandoned', 'completed'],
  rewinds: 0,
  check: expectOrphan,
} satisfies Partial<KillRow>;

/** An answer that its provider keeps, or streams once more, for no time at all. */
function shortLived(text: string, retention: { keptMs: 0 } | { streamableMs: 0 }): ScriptStep {
  return { kind: 'answer', text, usage: REAL_USAGE, ...retention };
}

function expectStreamedOnce({ events, creates }: SurvivedTurn): void {
  for (const type of ['created', 'output_item.added', 'output_text.done', 'completed'])
    expect(countOf(events, `response.${type}`), type).toBe(creates.length);
}

function expectOrphan({ result }: SurvivedTurn): void {
  const [orphan, other] = result.usage.calls;
  expect(orphan).toMatchObject({ background: true, responseId: null, estimated: true });
  expect(other?.responseId).toMatch(/^resp_/);
}

const ROWS: KillRow[] = [
  {
    ...AGAIN,
    name: 'killed between intent and create: the call counts as an orphan',
    point: 'respond: before the create',
    script: [answer(ANSWER)],
  },
  {
    ...AGAIN,
    name: 'killed between the create and storing its id: another is made, and the first is an orphan',
    point: 'respond: after the create',
  },
  {
    ...ONCE,
    name: 'killed before the first delta: another worker goes on with the response',
    point: 'respond: before the first delta',
  },
  {
    ...ONCE,
    name: 'killed before the first delta, and the next worker, too: a third one goes on',
    point: 'respond: before the first delta',
    kills: 2,
  },
  {
    ...ONCE,
    name: 'killed in mid-answer: another worker goes on with the response, and nothing is taken back',
    point: 'respond: in mid-stream',
    ready: untilShown,
  },
  {
    ...ONCE,
    name: 'killed in mid-answer, and the next worker, too: a third one goes on where they stopped',
    point: 'respond: in mid-stream',
    kills: 2,
    ready: untilShown,
  },
  {
    ...ONCE,
    name: 'killed after the last delta: the answer is stored as it was shown',
    point: 'respond: after the last delta',
  },
  {
    ...ONCE,
    name: 'killed right after the answer was stored: the provider is not asked again',
    point: 'respond: settled',
  },
  {
    ...ONCE,
    name: 'killed in mid-answer after a tool: neither the tool nor a call is repeated',
    point: 'respond: in mid-stream',
    assistant: { ...BACKGROUND.assistant, tools: ['touch'] },
    script: [callOf('touch'), answer(ANSWER)],
    calls: ['completed', 'completed'],
    check: ({ effects }) => expect(effects).toHaveLength(1),
  },
  {
    ...ONCE,
    name: 'killed before a reply with calls was stored: these very calls are run, once',
    point: 'respond: after the last delta',
    assistant: { ...BACKGROUND.assistant, tools: ['touch'] },
    script: [callOf('touch'), answer(ANSWER)],
    calls: ['completed', 'completed'],
    check: ({ effects }) => expect(effects).toHaveLength(1),
  },
  {
    ...AGAIN,
    name: 'killed in mid-answer, and the provider has forgotten it: it is taken back, and made again',
    point: 'respond: in mid-stream',
    ready: untilShown,
    script: [shortLived(LOST, { keptMs: 0 }), answer(ANSWER)],
    calls: ['failed', 'completed'],
    rewinds: 1,
    check({ result }) {
      expect(result.usage.calls[0]?.responseId).toMatch(/^resp_/);
    },
  },
  {
    ...ONCE,
    name: 'killed in mid-answer of a response too old to be streamed: the rest comes in one piece',
    point: 'respond: in mid-stream',
    ready: untilShown,
    script: [shortLived(ANSWER, { streamableMs: 0 })],
    check(survived) {
      expectStreamedOnce(survived);
      const deltas = survived.events.filter(({ event }) => event.type.endsWith('_text.delta'));
      expect(deltas.at(-1)?.event['delta']).toMatch(/ out of branches\.$/);
    },
  },
  {
    ...ONCE,
    name: 'killed before the first delta of a response too old to be streamed: it comes in one piece',
    point: 'respond: before the first delta',
    script: [shortLived(ANSWER, { streamableMs: 0 })],
  },
];

const world = useWorld();

describe('a turn in the background whose worker dies', { timeout: 180_000 }, () => {
  const kill = killer(world);
  for (const row of chosenRows(ROWS, SAMPLED_ROWS)) it(row.name, () => kill(row));
});
