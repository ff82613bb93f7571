import { describe, expect, it } from 'vitest';
import { killer, type KillRow } from '../support/kill.ts';
import { chosenRows } from '../support/sample.ts';
import { answer, callOf, untilShown } from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';
import type { World } from '../support/world.ts';

const LOST = 'Beavers build dams of mud, it was said, and then the line went dead.';
const ANSWER = 'Beavers build dams and lodges out of branches.';
const SAMPLED_ROWS = 4;

/** The worker dies with the only copy of what the model said: another call is made. */
const AGAIN = {
  script: [answer(LOST), answer(ANSWER)],
  answer: ANSWER,
  calls: ['abandoned', 'completed'],
} satisfies Partial<KillRow>;

/** The reply is in the store: no other call is made. */
const ONCE = {
  script: [answer(ANSWER)],
  answer: ANSWER,
  calls: ['completed'],
} satisfies Partial<KillRow>;

/** The same after a tool has run, in the second call of the turn. */
function afterTool(row: typeof AGAIN | typeof ONCE) {
  return {
    ...row,
    assistant: { tools: ['touch'] },
    script: [callOf('touch'), ...row.script],
    calls: ['completed' as const, ...row.calls],
    check: ({ effects }) => expect(effects).toHaveLength(1),
  } satisfies Partial<KillRow>;
}

const ROWS: KillRow[] = [
  {
    ...ONCE,
    name: 'killed while it retrieves: another worker does, and the model gets its passages',
    point: 'retrieve',
    assistant: { knowledge: { bases: ['animals'] } },
    check({ result, steps }) {
      expect(result.sources).toMatchObject([{ documentName: 'beavers.md' }]);
      expect(steps[0]).toMatchObject({ key: 'retrieve', status: 'completed', attempts: 2 });
    },
  },
  {
    ...AGAIN,
    name: 'killed between intent and create: the intent counts as a call that was abandoned',
    point: 'respond: before the create',
    // It never went out, so the model has not seen it.
    script: [answer(ANSWER)],
  },
  {
    ...AGAIN,
    name: 'killed before the first delta: another call is made, and the first one counted',
    point: 'respond: before the first delta',
  },
  {
    ...AGAIN,
    name: 'killed in mid-stream: readers take back what they saw and get a whole answer',
    point: 'respond: in mid-stream',
    ready: untilShown,
    rewinds: 1,
  },
  {
    ...AGAIN,
    name: 'killed in mid-stream, and the next worker, too: readers take back both',
    point: 'respond: in mid-stream',
    kills: 2,
    ready: untilShown,
    rewinds: 2,
    script: [answer(LOST), answer(LOST), answer(ANSWER)],
    calls: ['abandoned', 'abandoned', 'completed'],
  },
  {
    ...AGAIN,
    name: 'killed after the last delta: the answer of another call is the answer',
    point: 'respond: after the last delta',
  },
  {
    ...ONCE,
    name: 'killed right after the answer was stored: the model is not asked again',
    point: 'respond: settled',
  },
  {
    ...afterTool(AGAIN),
    name: 'killed in the second call before its first delta: the tool is not run again',
    point: 'respond: before the first delta',
  },
  {
    ...afterTool(AGAIN),
    name: 'killed in mid-stream of the second call: the tool is not run again',
    point: 'respond: in mid-stream',
  },
  {
    ...afterTool(AGAIN),
    name: 'killed before a reply with calls was stored: the calls of another reply are run, once',
    point: 'respond: after the last delta',
    script: [callOf('touch'), callOf('touch'), answer(ANSWER)],
    calls: ['abandoned', 'completed', 'completed'],
  },
  {
    ...afterTool(ONCE),
    name: 'killed right after a reply with calls was stored: these calls are run, once',
    point: 'respond: settled',
  },
  {
    ...ONCE,
    name: 'killed before the turn is sealed: another worker seals it',
    point: 'closeTurn: before',
  },
  {
    ...ONCE,
    name: 'killed right after the turn was sealed: it stays as it is, and its workflow completes',
    point: 'closeTurn: sealed',
  },
];

const DOCUMENT = 'Beavers build dams and lodges. They cut down trees with their teeth.';

// Without embeddings the index is full text alone, which any PostgreSQL has.
const world = useWorld({
  env: (databaseUrl) => ({ VECTOR_DATABASE_URL: databaseUrl }),
  prepare: addDocument,
});

async function addDocument({ turnkeeper, startWorker }: World): Promise<void> {
  const { documents } = turnkeeper;
  const worker = await startWorker();
  const { id } = await documents.add({ base: 'animals', name: 'beavers.md', content: DOCUMENT });
  expect(await documents.whenIndexed(id)).toMatchObject({ status: 'indexed' });
  worker.kill('SIGKILL');
  await worker.exited;
}

describe('a turn whose worker dies in a model call or at its end', { timeout: 180_000 }, () => {
  const kill = killer(world);
  for (const row of chosenRows(ROWS, SAMPLED_ROWS)) it(row.name, () => kill(row));
});
