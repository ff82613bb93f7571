import { setTimeout as delay } from 'node:timers/promises';
import type { Turnkeeper } from '../../../src/client/client.ts';
import type { StartTurn } from '../../../src/client/start-turn.ts';
import type { TurnResult } from '../../../src/client/turn-result.ts';
import { isTurnkeeperError } from '../../../src/contracts/errors.ts';
import type { Turn } from '../../../src/contracts/store.ts';
import { randomNumbers } from '../../support/random.ts';
import { newTalk, type Talk } from '../../support/talk.ts';
import type { TestWorker, World } from '../../support/world.ts';

export type Policy = NonNullable<StartTurn['whenBusy']>;

export interface Plan {
  policy: Policy;
  /** Ask at the same time, each for one turn after another. */
  clients: number;
  turns: number;
  conversations: number;
  /** Unless all workers but one are still starting. */
  killEveryMs: number;
  seed: number;
}

/** One turn as its client saw it. */
export interface Asked {
  /** Its number among all; its question and its answer name it. */
  n: number;
  talk: Talk;
  turn: Turn;
  result: TurnResult;
  /** How often it was refused before it was accepted. */
  refusals: number;
}

export interface Outcome {
  talks: Talk[];
  asked: Asked[];
  kills: number;
  seconds: number;
}

const CONNECTIONS = 10;
/** Clients that come all at once interrupt each other before anything is said. */
const MAX_THOUGHT_MS = 500;
const RESULT_TIMEOUT_MS = 300_000;

/** Fires the turns while workers are killed, one after another and each replaced, and waits for all of their ends. */
export async function runLoad(world: World, workers: TestWorker[], plan: Plan): Promise<Outcome> {
  const random = randomNumbers(plan.seed);
  const talks = await Promise.all(Array.from({ length: plan.conversations }, () => newTalk(world)));
  const connections = await Promise.all(
    Array.from({ length: Math.min(plan.clients, CONNECTIONS) }, () =>
      world.client(undefined, { DATABASE_POOL_SIZE: '2' }),
    ),
  );
  const startedAt = performance.now();
  const asked: Asked[] = [];
  let next = 1;
  const client = async (_: unknown, index: number) => {
    const connection = connections[index % connections.length] as Turnkeeper;
    while (next <= plan.turns) {
      const n = next++;
      const talk = talks[Math.floor(random() * talks.length)] as Talk;
      await delay(random() * MAX_THOUGHT_MS);
      asked.push(await ask(connection, talk, n, plan.policy));
    }
  };
  const asking = Promise.all(Array.from({ length: plan.clients }).map(client));
  const kills = await killUntil(world, workers, isSettled(asking), plan.killEveryMs);
  await asking;
  return { talks, asked, kills, seconds: (performance.now() - startedAt) / 1_000 };
}

/** Until it is accepted, as one that has to be told no would. */
async function ask({ turns }: Turnkeeper, talk: Talk, n: number, whenBusy: Policy): Promise<Asked> {
  const request = { ...talk, input: inputOf(n), whenBusy, idempotencyKey: `turn ${n}` };
  for (let refusals = 0; ; refusals++) {
    try {
      const turn = await turns.start(request);
      const result = await turns.result(turn.id, { timeoutMs: RESULT_TIMEOUT_MS });
      return { n, talk, turn, result, refusals };
    } catch (error) {
      if (!isTurnkeeperError(error, 'conversation_busy') && !isTurnkeeperError(error, 'queue_full'))
        throw error;
      await delay(100);
    }
  }
}

/** What the offline model is asked, and finds the answer in. */
function inputOf(n: number): StartTurn['input'] {
  const passage = `The secret of turn ${n} is ${secretOf(n)}`;
  const passages = `Passages from the knowledge base.\n\n[1] notes, characters 0–${passage.length}\n${passage}`;
  return [
    { role: 'user', content: passages },
    { role: 'user', content: `What is the secret of turn ${n}?` },
  ];
}

export function secretOf(n: number): string {
  return `secret-${n}.`;
}

/** Answers how many workers were killed meanwhile. One at least is left alive. */
async function killUntil(
  world: World,
  workers: TestWorker[],
  over: () => boolean,
  everyMs: number,
): Promise<number> {
  const starting: Promise<unknown>[] = [];
  let kills = 0;
  for (;;) {
    await delay(everyMs);
    if (over()) break;
    if (workers.length < 2) continue;
    workers.shift()?.kill('SIGKILL');
    kills += 1;
    starting.push(world.startWorker().then((worker) => workers.push(worker)));
  }
  await Promise.all(starting);
  return kills;
}

function isSettled(work: Promise<unknown>): () => boolean {
  let settled = false;
  const settle = () => (settled = true);
  work.then(settle, settle);
  return () => settled;
}
