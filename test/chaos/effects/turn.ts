import { setTimeout as delay } from 'node:timers/promises';
import type { Step, Turn } from '../../../src/contracts/store.ts';
import { ask, Refused } from '../support/ask.ts';
import type { Fault, HeldTurn } from './faults.ts';
import { questionOf, SAID_BEFORE } from './script.ts';
import type { Stage } from './stage.ts';
import { TOOLS } from './tools.ts';

/** One turn × one fault: what came of it. */
export interface Point extends HeldTurn {
  status: Turn['status'];
  /** It has ended, and so have its undoing and the summary of what was said before. */
  ended: boolean;
  /** The conversation takes the next turn. */
  free: boolean;
  steps: Step[];
}

/** What one fault did to the turns that it hit. */
export interface Struck {
  fault: Fault;
  struckAt: Date;
  points: Point[];
}

const TURN_LIMIT_MS = 240_000;
/** For asking what has become of a turn, also of one that has not ended. */
const QUESTIONS_LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 250;

/** Runs a turn over HTTP to the end of all that comes of it, and approves what waits, whatever breaks on the way. */
export async function runTurn(stage: Stage, assistantId: string, held: HeldTurn): Promise<Point> {
  const { id, boundary } = held;
  const signal = AbortSignal.timeout(TURN_LIMIT_MS);
  const conversations = `${stage.url}/api/conversations`;
  const conversation = await ask(conversations, id, signal, {});
  const ofConversation = `${conversations}/${String(conversation['id'])}`;
  const before = { items: [{ type: 'message', role: 'user', content: SAID_BEFORE }] };
  await ask(`${ofConversation}/items`, id, signal, before);
  const start = { assistantId, input: questionOf(id) };
  const { id: turnId } = await ask(`${ofConversation}/turns`, id, signal, start);
  await stage.hold([String(turnId), String(conversation['id'])], { name: id, boundary });
  const ofTurn = `${stage.url}/api/turns/${String(turnId)}`;
  const ended =
    (await untilEnded(ofTurn, signal)) && (await untilSummarized(ofConversation, signal));
  const later = AbortSignal.timeout(QUESTIONS_LIMIT_MS);
  const { status } = await turnAt(ofTurn, later);
  const { data } = await ask(`${ofTurn}/steps`, id, later);
  const { activeTurn } = await ask(ofConversation, id, later);
  return { ...held, status, ended, free: activeTurn === null, steps: data as Step[] };
}

function untilEnded(url: string, signal: AbortSignal): Promise<boolean> {
  return until(signal, async () => {
    const { state, status, compensation } = await turnAt(url, signal);
    if (state === 'sealed') return compensation !== 'requested';
    if (status === 'requires_action') await approve(url, signal);
    return false;
  });
}

function untilSummarized(url: string, signal: AbortSignal): Promise<boolean> {
  return until(signal, async () => (await ask(url, 'summary', signal))['summary'] !== null);
}

/** False when the time is over before that. */
async function until(signal: AbortSignal, isSo: () => Promise<boolean>): Promise<boolean> {
  try {
    while (!(await isSo())) await delay(LOOK_EVERY_MS);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

async function approve(url: string, signal: AbortSignal): Promise<void> {
  const waiting = TOOLS.filter(({ approval }) => approval);
  const approvals = waiting.map(({ name }) => ({ callId: `call_${name}`, approve: true }));
  try {
    await ask(`${url}/submit`, 'approve', signal, { approvals });
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof Refused)) throw error;
  }
}

async function turnAt(url: string, signal: AbortSignal): Promise<Turn> {
  return (await ask(url, 'turn', signal)) as unknown as Turn;
}
