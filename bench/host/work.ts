import type { Contestant, TurnTiming } from '../contestant.ts';
import type { Growth, Load } from './protocol.ts';

/** About as long as what people type. */
function question(turn: number): string {
  return `Question ${turn}: what do the beavers build at the upper end of the valley, and what keeps it from being washed away?`;
}

/** Far more than a turn takes under any load here. */
const TURN_LIMIT_MS = 60_000;

/** A turn that hangs ends the benchmark, which says whose it was. */
async function runTurn(
  contestant: Contestant,
  conversation: string,
  text: string,
): Promise<TurnTiming> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_, reject) => {
    const error = new Error(`A turn has not ended within ${TURN_LIMIT_MS / 1_000} s.`);
    timer = setTimeout(() => reject(error), TURN_LIMIT_MS);
  });
  try {
    return await Promise.race([contestant.runTurn(conversation, text), overdue]);
  } finally {
    clearTimeout(timer);
  }
}

export async function runTurns(contestant: Contestant, count: number): Promise<TurnTiming[]> {
  const conversation = await contestant.openConversation();
  const timings: TurnTiming[] = [];
  for (let turn = 1; turn <= count; turn += 1) {
    timings.push(await runTurn(contestant, conversation, question(turn)));
  }
  return timings;
}

/** Conversations of this many turns, so that none grows while others wait. */
const TURNS_PER_CONVERSATION = 5;

/** Counts the turns that ended before time was up; those under way then are waited for. */
export async function runLoad(
  contestant: Contestant,
  { concurrency, durationMs }: { concurrency: number; durationMs: number },
): Promise<Load> {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  let turns = 0;
  const talk = async () => {
    while (elapsed() < durationMs) {
      const conversation = await contestant.openConversation();
      for (let turn = 1; turn <= TURNS_PER_CONVERSATION && elapsed() < durationMs; turn += 1) {
        await runTurn(contestant, conversation, question(turn));
        turns += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, talk));
  return { turns, elapsedMs: elapsed() };
}

export async function grow(contestant: Contestant, targets: number[]): Promise<Growth[]> {
  const conversation = await contestant.openConversation();
  const before = await contestant.stateBytes();
  const growth: Growth[] = [];
  let turn = 0;
  for (const turns of targets) {
    while (turn < turns) await runTurn(contestant, conversation, question((turn += 1)));
    const databaseBytes = (await contestant.stateBytes()) - before;
    growth.push({ turns, databaseBytes, histories: await contestant.histories(conversation) });
  }
  return growth;
}
