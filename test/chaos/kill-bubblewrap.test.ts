import { randomUUID } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import type { TurnResult } from '../../src/client/turn-result.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { markedProcesses } from '../sandbox/hostile/host.ts';
import { killer, type SurvivedTurn } from '../support/kill.ts';
import type { Point } from '../support/points.ts';
import { chosenRows } from '../support/sample.ts';
import { useSandbox } from '../support/sandboxes.ts';
import { answer, newTalk, REAL_USAGE, resultOf, say, SOON } from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';

const SAMPLED_ROWS = 2;
const ANSWER = 'That is computed.';
const ASSISTANT = { tools: ['run_code'] };
/** Each run prints another number, and writes it to a file. */
const DICE = `
import uuid
number = str(uuid.uuid4())
open('number.txt', 'w').write(number)
print(number, end='')
`;

interface Row {
  name: string;
  point: Point;
  /** Files of the turn: one of each run whose artifacts were stored. */
  files: number;
}

const ROWS: Row[] = [
  {
    name: 'killed before the code ran: it is run',
    point: 'runTool: before',
    files: 1,
  },
  {
    name: 'killed when the code had run: it runs again, and the model is told of that run',
    point: 'runTool: during',
    files: 2,
  },
  {
    name: 'killed before its outcome was settled: it runs again, and the model is told of that run',
    point: 'runTool: after',
    files: 2,
  },
  {
    name: 'killed when its outcome was settled: nothing is run again',
    point: 'runTool: settled',
    files: 1,
  },
];

const host = useSandbox('bubblewrap');
const world = useWorld({ env: () => host.env() });

function scriptOf(code: string): ScriptStep[] {
  const call = { name: 'run_code', arguments: { language: 'python', code }, callId: 'code' };
  return [{ kind: 'calls', calls: [call], usage: REAL_USAGE }, answer(ANSWER)];
}

/** What the model was told, and the file that it was told of, are of one run. */
async function expectOneStory({ turn, output }: TurnResult, count: number): Promise<void> {
  const { files } = world().turnkeeper;
  const item = output.find(({ type }) => type === 'function_call_output');
  const told = JSON.parse(String(item?.['output'])) as {
    stdout: string;
    artifacts: { file_id: string }[];
  };
  expect(String(await files.read(told.artifacts[0]?.file_id ?? ''))).toBe(told.stdout);
  expect((await files.list({ turnId: turn.id })).data).toHaveLength(count);
}

describe('a turn whose worker dies at code in bubblewrap', { timeout: 180_000 }, () => {
  // The first: the others leave a worker to each other.
  it('killed while the code ran: it runs again', async () => {
    const mark = `run-${randomUUID()}`;
    const slow = `import subprocess; subprocess.run(['bash', '-c', 'sleep 3; :', '${mark}'])`;
    await world().offline.script(scriptOf(`${slow}\n${DICE}`));
    const victim = await world().startWorker();
    const turn = await say(world(), await newTalk(world(), ASSISTANT));
    await vi.waitFor(async () => expect(await markedProcesses(mark)).not.toEqual([]), SOON);
    victim.kill('SIGKILL');
    const rescuer = await world().startWorker();
    const result = await resultOf(world(), turn);
    expect(result).toMatchObject({ status: 'completed', answer: ANSWER });
    await expectOneStory(result, 1);
    const steps = await world().turnkeeper.turns.steps(turn.id);
    expect(steps.find(({ kind }) => kind === 'tool')).toMatchObject({ attempts: 2 });
    rescuer.kill('SIGKILL');
  });

  const survive = killer(world);

  for (const { name, point, files } of chosenRows(ROWS, SAMPLED_ROWS)) {
    it(name, async () => {
      const survivors: SurvivedTurn[] = [];
      await survive({
        name,
        point,
        assistant: ASSISTANT,
        script: scriptOf(DICE),
        answer: ANSWER,
        calls: ['completed', 'completed'],
        check: (turn) => void survivors.push(turn),
      });
      expect(survivors).toHaveLength(1);
      for (const { result } of survivors) await expectOneStory(result, files);
    });
  }
});
