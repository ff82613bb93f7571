import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chosenRows } from '../support/sample.ts';
import { SANDBOXES, useSandbox } from '../support/sandboxes.ts';
import { HOSTILE_PROGRAMS } from './hostile.ts';
import { layBait, markedProcesses, watch, type Bait } from './hostile/host.ts';
import { markedCode, type HostileProgram, type Outcome } from './hostile/program.ts';

/** Beside the time limit: for a busy machine to start, to end and to hand out. */
const MARGIN_MS = 10_000;
/** Of what the kernel counts and processes don't show, and the other way round. */
const MEMORY_TOLERANCE = 1.05;

const programs = chosenRows(HOSTILE_PROGRAMS);

describe.each(SANDBOXES)('%s contains a program that', (kind) => {
  const variable = 'TURNKEEPER_HOSTILE_SECRET';
  let bait: Bait;
  beforeAll(async () => {
    bait = await layBait();
    process.env[variable] = bait.secret;
  });
  const host = useSandbox(kind);
  afterAll(async () => {
    Reflect.deleteProperty(process.env, variable);
    await bait.remove();
  });

  it.each(programs)('$name', { timeout: 180_000 }, async (program) => {
    const outcome = await runWatched(program);
    await expectContained(program, outcome);
    program.check(outcome);
  });

  async function runWatched(program: HostileProgram): Promise<Outcome> {
    const { sandbox } = host;
    const { limits } = sandbox;
    const ground = { bait, limits, mark: `hostile-${randomUUID()}` };
    const { language, timeoutMs = 10_000, memory = false } = program;
    const { mark } = ground;
    bait.reached.length = 0;
    const request = {
      language,
      timeoutMs,
      key: mark,
      files: [],
      code: markedCode(program, ground),
    };
    const { signal } = new AbortController();
    try {
      const [result, seen] = await watch({ mark, memory }, sandbox.run(request, { signal }));
      return { ...ground, result, seen };
    } finally {
      await sandbox.discard(request.key);
    }
  }

  /** Seen from outside, whatever it did. */
  async function expectContained({ timeoutMs = 10_000 }: HostileProgram, outcome: Outcome) {
    const { mark, result, limits, seen } = outcome;
    expect(await markedProcesses(mark), 'processes left').toEqual([]);
    expect(await bait.tracesOf(mark), 'files left').toEqual([]);
    expect(bait.reached, 'sockets reached').toEqual([]);
    expect(seen.users, 'root on the host').not.toContain(0);
    expect(seen.processes).toBeLessThanOrEqual(limits.pids);
    expect(seen.bytes).toBeLessThanOrEqual(limits.memoryBytes * MEMORY_TOLERANCE);
    expect(result.durationMs).toBeLessThan(timeoutMs + MARGIN_MS);
    expect(everythingIn(outcome)).not.toContain(bait.secret);
    for (const text of [result.stdout, result.stderr]) {
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limits.outputBytes * 3);
    }
    const bytes = result.artifacts.reduce((total, { content }) => total + content.byteLength, 0);
    expect(bytes).toBeLessThanOrEqual(limits.artifactBytes);
    expect(result.artifacts.length).toBeLessThanOrEqual(limits.artifacts);
  }
});

function everythingIn({ result }: Outcome): string {
  const contents = result.artifacts.map(
    ({ name, content }) => name + Buffer.from(content).toString('latin1'),
  );
  return JSON.stringify({ ...result, artifacts: contents });
}
