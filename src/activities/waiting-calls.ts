import type { NewAction } from '../contracts/actions.ts';
import { TURN_LIMIT_DEFAULTS } from '../contracts/assistant.ts';
import type { Item, JsonObject } from '../contracts/json.ts';
import type { SettleResponse, StepRef, TurnContext } from '../contracts/store.ts';
import { isRunnable, type ToolDefinition, type Tools, type ToolTurn } from '../contracts/tools.ts';
import { readArguments } from './tool-arguments.ts';

/** For a predicate that asks others. */
const PREDICATE_TIMEOUT_MS = 5_000;

interface AskedCalls {
  ref: StepRef;
  context: TurnContext;
  tools: Tools;
  offered: ToolDefinition[];
}

/** The settlement of a reply, with those of its calls marked that the turn has to wait for. */
export async function markWaiting(
  response: SettleResponse,
  asked: AskedCalls,
): Promise<SettleResponse> {
  const { reply, items } = response;
  if (reply.kind !== 'calls') return response;
  const found = await Promise.all(items.map((item) => actionOf(item, asked)));
  const actions = found.filter((action) => action !== null);
  if (actions.length === 0) return response;
  const kinds = new Map(actions.map(({ callId, kind }) => [callId, kind]));
  const calls = reply.calls.map((call) => {
    const waits = kinds.get(call.callId);
    return waits ? { ...call, waits } : call;
  });
  const { limits } = asked.context.definition;
  const timeoutMs = limits?.actionTimeoutMs ?? TURN_LIMIT_DEFAULTS.actionTimeoutMs;
  return { ...response, reply: { ...reply, calls }, waiting: { actions, timeoutMs } };
}

/** Null for what waits for nobody. A call whose arguments are wrong does not: its step tells the model. */
async function actionOf(item: Item, asked: AskedCalls): Promise<NewAction | null> {
  if (item.type !== 'function_call') return null;
  const tool = asked.offered.find(({ name }) => name === item['name']);
  if (!tool || (isRunnable(tool) && tool.approval === undefined)) return null;
  const { name } = tool;
  const args = readArguments(asked.tools, name, item['arguments']);
  if ('mistake' in args) return null;
  const action = { callId: String(item['call_id']), name, arguments: args.value };
  if (!isRunnable(tool)) return { ...action, kind: 'outputs' };
  return (await needsApproval(tool, args.value, asked)) ? { ...action, kind: 'approval' } : null;
}

/** Only a plain no lets a call pass: a predicate that throws or takes too long does not. */
async function needsApproval(
  { approval }: ToolDefinition,
  args: JsonObject,
  { ref, context }: AskedCalls,
): Promise<boolean> {
  if (typeof approval !== 'function') return approval !== undefined;
  const { conversationId, endUser } = context;
  const turn: ToolTurn = { tenant: ref.tenant, turnId: ref.turnId, conversationId, endUser };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), PREDICATE_TIMEOUT_MS);
  });
  try {
    // A copy: the tool gets its arguments as the model gave them.
    const asking: unknown = approval(structuredClone(args), turn);
    return (await Promise.race([asking, late])) !== false;
  } catch {
    return true;
  } finally {
    clearTimeout(timer);
  }
}
