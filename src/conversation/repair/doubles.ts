import type { Item } from '../../contracts/json.ts';
import { leaveOut, withoutField, type Draft, type KeptDraft, type Report } from './draft.ts';

/** No id twice; the first one keeps it. Answers reasoning that has one of them again. */
export function singleItems(drafts: KeptDraft[], report: Report): Set<Draft> {
  const seen = new Map<string, Item>();
  const reasoning = new Set<Draft>();
  for (const draft of drafts) {
    const { id, type } = draft.item;
    if (typeof id !== 'string') continue;
    const first = seen.get(id);
    if (!first) seen.set(id, draft.item);
    else if (type === 'reasoning') reasoning.add(draft);
    else if (isSame(first, draft.item)) leaveOut(draft, 'doubled_item', report);
    else {
      draft.item = withoutField(draft.item, 'id');
      report('doubled_item', draft);
    }
  }
  return reasoning;
}

function isSame(one: Item, other: Item): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
