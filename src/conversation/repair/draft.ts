import type { Item } from '../../contracts/json.ts';
import type { ConversationItem, RepairRule } from '../../contracts/store.ts';
import { isInput } from '../items.ts';

/** An item on its way through the repair. */
export interface Draft {
  entry: ConversationItem;
  /** As the model is shown it; null when it is left out. */
  item: Item | null;
}

export type KeptDraft = Draft & { item: Item };

export type Report = (rule: RepairRule, draft: Draft) => void;

export function survivors(drafts: Draft[]): KeptDraft[] {
  return drafts.filter((draft): draft is KeptDraft => draft.item !== null);
}

export function leaveOut(draft: Draft, rule: RepairRule, report: Report): void {
  draft.item = null;
  report(rule, draft);
}

export function withoutField(item: Item, field: string): Item {
  return Object.fromEntries(Object.entries(item).filter(([key]) => key !== field)) as Item;
}

/** Whether the model said it: all but inputs, outputs of tools and approvals. */
export function isOfModel(item: Item): boolean {
  return !isInput(item) && !item.type.endsWith('_output') && item.type !== 'mcp_approval_response';
}

/** Whether the one goes on with the reply that the other is of. */
export function isSameReply(one: KeptDraft, other: KeptDraft): boolean {
  return isOfModel(one.item) && isOfModel(other.item) && one.entry.turnId === other.entry.turnId;
}
