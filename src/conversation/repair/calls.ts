import type { Item } from '../../contracts/json.ts';
import { errorOutput, unknownOutcome } from '../tool-output.ts';
import { isSameReply, leaveOut, type Draft, type KeptDraft, type Report } from './draft.ts';

/** Calls that need an output, by the type of it. Others than the first two nobody can make up an output for. */
const OUTPUT_OF: Readonly<Record<string, string>> = {
  function_call: 'function_call_output',
  custom_tool_call: 'custom_tool_call_output',
  computer_call: 'computer_call_output',
  local_shell_call: 'local_shell_call_output',
  shell_call: 'shell_call_output',
  apply_patch_call: 'apply_patch_call_output',
};
const OUTPUTS = new Set(Object.values(OUTPUT_OF));
const CAN_BE_MADE_UP = new Set(['function_call', 'custom_tool_call']);

/** Each call with one output behind it, and no output without its call. */
export function callOutputs(drafts: KeptDraft[], report: Report): Draft[] {
  const { early, open } = pair(drafts, report);
  for (const draft of early.orphans) leaveOut(draft, 'output_without_call', report);
  const late = new Map<Draft, Draft>(early.taken);
  for (const call of open) {
    report('call_without_output', call);
    if (CAN_BE_MADE_UP.has(call.item.type)) late.set(call, madeUpOutput(call));
    else (call as Draft).item = null;
  }
  return placed(drafts, late);
}

/** Call ids may come again once they are answered: some servers count from one in every reply. */
function pair(drafts: KeptDraft[], report: Report) {
  const open = new Map<string, KeptDraft>();
  const waiting = new Map<string, KeptDraft>();
  const answered = new Set<string>();
  const taken = new Map<Draft, Draft>();
  const takeCall = (key: string, draft: KeptDraft) => {
    const early = waiting.get(key);
    if (open.has(key)) leaveOut(draft, 'doubled_call', report);
    else if (!early) open.set(key, draft);
    else {
      waiting.delete(key);
      answered.add(key);
      taken.set(draft, early);
      report('output_before_call', early);
    }
  };
  const takeOutput = (key: string, draft: KeptDraft) => {
    if (open.delete(key)) answered.add(key);
    else if (answered.has(key) || waiting.has(key)) leaveOut(draft, 'doubled_output', report);
    else waiting.set(key, draft);
  };
  for (const draft of drafts) {
    const key = keyOf(draft.item);
    if (key === null) continue;
    if (OUTPUTS.has(draft.item.type)) takeOutput(key, draft);
    else takeCall(key, draft);
  }
  return { early: { orphans: waiting.values(), taken }, open: open.values() };
}

/** The same for a call and its output, null for other items. A local shell's output has its call's id as its own. */
function keyOf({ type, call_id: callId, id }: Item): string | null {
  const output = OUTPUTS.has(type) ? type : OUTPUT_OF[type];
  return output === undefined ? null : `${output} ${String(callId ?? id)}`;
}

function madeUpOutput({ entry, item }: KeptDraft): Draft {
  const output: Item = {
    type: String(OUTPUT_OF[item.type]),
    call_id: String(item['call_id']),
    output: errorOutput(unknownOutcome(String(item['name']))),
  };
  return { entry: { ...entry, item: output }, item: output };
}

/** Late outputs stand behind the calls that were made at once, in their order. */
function placed(drafts: KeptDraft[], late: ReadonlyMap<Draft, Draft>): Draft[] {
  if (late.size === 0) return drafts;
  const moved = new Set(late.values());
  const result: Draft[] = [];
  let waiting: Draft[] = [];
  let before: KeptDraft | undefined;
  for (const draft of drafts) {
    if (moved.has(draft) || (draft as Draft).item === null) continue;
    const isCalledAgain = waiting.some(({ item }) => item && keyOf(item) === keyOf(draft.item));
    if (isCalledAgain || (before && !callsToo(before, draft))) {
      result.push(...waiting);
      waiting = [];
    }
    result.push(draft);
    const output = late.get(draft);
    if (output) waiting.push(output);
    before = draft;
  }
  return [...result, ...waiting];
}

function callsToo(before: KeptDraft, { item, entry }: KeptDraft): boolean {
  return OUTPUT_OF[item.type] !== undefined && isSameReply(before, { item, entry });
}
