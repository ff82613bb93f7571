import {
  isSameReply,
  leaveOut,
  withoutField,
  type Draft,
  type KeptDraft,
  type Report,
} from './draft.ts';

/** Reasoning stays with what it led to, or goes: all that was thought before one message or call alike. */
export function reasoningWithReplies(
  drafts: KeptDraft[],
  { stored, doubled }: { stored: boolean; doubled: ReadonlySet<Draft> },
  report: Report,
): void {
  for (const run of runsOf(drafts)) {
    const notKept = run.drafts.filter(({ item }) => !stored && !isEncrypted(item));
    const lost = run.drafts.filter((draft) => doubled.has(draft) || notKept.includes(draft));
    if (lost.length === 0 && ledToSomething(run)) continue;
    for (const draft of run.drafts) {
      if (doubled.has(draft)) leaveOut(draft, 'doubled_item', report);
      else
        leaveOut(draft, notKept.includes(draft) ? 'reasoning_not_kept' : 'reasoning_alone', report);
    }
    for (const follower of run.followers) forgetId(follower, report);
  }
}

interface Run {
  /** Reasoning, one item behind the other. */
  drafts: KeptDraft[];
  /** What it led to: the rest of the reply, up to more reasoning. */
  followers: KeptDraft[];
}

function runsOf(drafts: KeptDraft[]): Run[] {
  const runs: Run[] = [];
  let run: Run | undefined;
  let before: KeptDraft | undefined;
  for (const draft of drafts) {
    const goesOn = run !== undefined && before !== undefined && isSameReply(before, draft);
    if (!goesOn) run = undefined;
    if (isReasoning(draft)) {
      if (!run || run.followers.length > 0) runs.push((run = { drafts: [], followers: [] }));
      run.drafts.push(draft);
    } else run?.followers.push(draft);
    before = draft;
  }
  return runs;
}

/** What is told in other words than the model's own is not what the provider knows of. */
function ledToSomething({ followers: [next] }: Run): boolean {
  return next !== undefined && next.item.type === next.entry.item.type;
}

function isReasoning({ item }: KeptDraft): boolean {
  return item.type === 'reasoning';
}

function isEncrypted({ encrypted_content: content }: KeptDraft['item']): boolean {
  return typeof content === 'string' && content !== '';
}

function forgetId(draft: KeptDraft, report: Report): void {
  if (draft.item['id'] === undefined) return;
  draft.item = withoutField(draft.item, 'id');
  report('id_without_reasoning', draft);
}
