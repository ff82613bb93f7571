import { afterEach, expect, test, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { describeConfig } from '../../src/config/describe.ts';
import type { Logger } from '../../src/contracts/logger.ts';
import { connectWithWorker } from '../../src/run-worker.ts';
import type { Turnkeeper } from '../../src/index.ts';
import { countOf, readEvents, shownTexts } from '../support/reading.ts';
import { answer, heldAnswer, newTalk, resultOf, say, untilShown } from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';
import type { World } from '../support/world.ts';

const current = useWorld();
const info = vi.fn<Logger['info']>();
const logger = { info, warn: () => undefined, error: () => undefined };

let open: Turnkeeper | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

/** The world as a client sees it that has its worker in this process. */
async function withWorker(world: World): Promise<World> {
  open = await connectWithWorker({ config: loadConfig(world.env), logger });
  return { ...world, turnkeeper: open };
}

test('a turn that is started beside its worker begins with its start', async () => {
  const world = await withWorker(current());
  await world.offline.script([answer('At once.')]);
  const turn = await say(world, await newTalk(world));
  const events = await readEvents(world.turnkeeper, turn.id);
  expect(shownTexts(events)).toEqual(['At once.']);
  const handle = world.temporal.workflow.getHandle(turn.id);
  await handle.result();
  const [started] = (await handle.fetchHistory()).events ?? [];
  expect(started?.workflowExecutionStartedEventAttributes?.eagerExecutionAccepted).toBe(true);
  expect(await world.history(turn.id)).toMatchObject({ workflowTasks: 2, events: 12 });
});

test('a client with a worker says at start what it uses', async () => {
  info.mockClear();
  await withWorker(current());
  const lines = info.mock.calls.map(([line]) => line);
  expect(lines).toEqual(expect.arrayContaining(describeConfig(loadConfig(current().env))));
});

test('another process goes on with a turn whose client and worker are closed', async () => {
  const world = await withWorker(current());
  await world.offline.script([heldAnswer('It goes on and on.'), answer('It went on.')]);
  const turn = await say(world, await newTalk(world));
  await untilShown(world, turn);
  const worker = await world.startWorker();
  try {
    await open?.close();
    open = undefined;
    const { status, answer: text } = await resultOf(current(), turn);
    expect([status, text]).toEqual(['completed', 'It went on.']);
    const events = await readEvents(current().turnkeeper, turn.id);
    expect(countOf(events, 'turn.rewind')).toBe(1);
  } finally {
    worker.kill('SIGKILL');
  }
});
