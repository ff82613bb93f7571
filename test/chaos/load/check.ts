import type { ConversationItem, Page, Turn } from '../../../src/contracts/store.ts';
import type { Talk } from '../../support/talk.ts';
import type { World } from '../../support/world.ts';
import { secretOf, type Asked, type Outcome, type Plan } from './run.ts';

interface Summary {
  policy: string;
  turns: number;
  completed: number;
  interrupted: number;
  superseded: number;
  refusals: number;
  kills: number;
  seconds: number;
  /** What broke a promise, in words. */
  broken: string[];
}

/** Holds every conversation against what was asked of it. */
export async function summarize(world: World, plan: Plan, outcome: Outcome): Promise<Summary> {
  const { asked, kills, seconds } = outcome;
  const broken: string[] = [];
  for (const talk of outcome.talks) {
    const mine = asked.filter((each) => each.talk === talk);
    broken.push(...(await mistakesIn(world, talk, mine)));
  }
  const withReason = (reason: string) => asked.filter(({ result }) => result.reason === reason);
  return {
    policy: plan.policy,
    turns: asked.length,
    completed: asked.filter(({ result }) => result.status === 'completed').length,
    interrupted: withReason('interrupted').length,
    superseded: withReason('superseded').length,
    refusals: asked.reduce((sum, { refusals }) => sum + refusals, 0),
    kills,
    seconds: Math.round(seconds),
    broken,
  };
}

async function mistakesIn(world: World, talk: Talk, asked: Asked[]): Promise<string[]> {
  const { turns, conversations } = world.turnkeeper;
  const { conversationId: id } = talk;
  const listed = await all((page) => turns.list(id, page));
  const items = await all((page) => conversations.items(id, page));
  const { activeTurn } = await conversations.get(id);
  const queued = await world.sql('SELECT id FROM turnkeeper.queue WHERE conversation_id = $1', [
    id,
  ]);
  return [
    ...(activeTurn === null ? [] : [`${id} is still held by ${activeTurn}`]),
    ...queued.map(() => `something still waits in ${id}`),
    ...mistakesOfUniqueness(asked, listed),
    ...mistakesOfOrder(listed, items),
    ...asked.flatMap((each) => mistakesOfTurn(each, listed, items)),
  ];
}

/** One turn for each that was asked, and no other. */
function mistakesOfUniqueness(asked: Asked[], listed: Turn[]): string[] {
  const ids = new Set(asked.map(({ turn }) => turn.id));
  const lost = [...ids].filter((id) => !listed.some((turn) => turn.id === id));
  const others = listed.filter(({ id }) => !ids.has(id));
  return [
    ...(ids.size === asked.length ? [] : ['two requests got one turn']),
    ...lost.map((id) => `turn ${id} is lost`),
    ...others.map(({ id }) => `nobody asked for turn ${id}`),
  ];
}

/** What was said stands together, turn by turn, in the order in which they were accepted. */
function mistakesOfOrder(listed: Turn[], items: ConversationItem[]): string[] {
  const order = items.map(({ turnId }) => turnId).filter((id, n, ids) => id !== ids[n - 1]);
  const expected = listed.map(({ id }) => id).filter((id) => order.includes(id));
  return order.join() === expected.join() ? [] : [`out of order: ${order.join()}`];
}

function mistakesOfTurn(
  { n, turn: { id }, result }: Asked,
  listed: Turn[],
  items: ConversationItem[],
): string[] {
  const turn = listed.find((each) => each.id === id);
  const mine = items.filter(({ turnId }) => turnId === id).map(({ item }) => item);
  const answers = mine.filter(({ role }) => role === 'assistant');
  const questions = mine.filter(({ role }) => role === 'user');
  const mistakes: string[] = [];
  const say = (mistake: string) => mistakes.push(`turn ${n} (${id}) ${mistake}`);
  if (turn?.status !== result.status) say(`was told as ${result.status}, is ${turn?.status}`);
  const { status, reason } = result;
  if (status === 'completed') {
    if (!result.answer.includes(secretOf(n))) say(`was answered: ${result.answer}`);
    if (answers.length !== 1) say(`has ${answers.length} answers`);
  } else if (reason !== 'interrupted' && reason !== 'superseded') say(`ended: ${status} ${reason}`);
  const asked = reason === 'superseded' ? 0 : 2;
  if (questions.length !== asked) say(`has ${questions.length} items of input`);
  const interrupted = listed.find((each) => each.id === turn?.interrupts);
  if (turn?.interrupts && interrupted?.reason !== 'interrupted' && reason !== 'superseded')
    say(`interrupts a turn that ended otherwise: ${interrupted?.reason}`);
  return mistakes;
}

async function all<T>(
  list: (page: { limit: number; cursor?: string }) => Promise<Page<T>>,
): Promise<T[]> {
  const found: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await list({ limit: 100, ...(cursor !== null && { cursor }) });
    found.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}
