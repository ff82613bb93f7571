import type { Item, Json } from '../../contracts/json.ts';
import type { RepairRule } from '../../contracts/store.ts';
import { v5 } from 'uuid';
import { isObject } from '../items.ts';
import { toldCode, expiredContainers } from './containers.ts';
import { leaveOut, withoutField, type Draft, type Report } from './draft.ts';
import { repairContent } from './parts.ts';
import { INPUT_TYPES, NEEDED_STATUS, STATUSES } from './types.ts';
import { toUnicode } from './unicode.ts';

const MAX_ID = 64;
const MAX_NAME = 128;
const NAMESPACE = '0b2f6b0c-94a4-4d53-9d0c-3f0f7a3a5c11';

/** Makes each item one that may be sent, alone and for itself. */
export function sendableItems(drafts: Draft[], report: Report): void {
  const isExpired = expiredContainers(drafts);
  for (const draft of drafts) {
    if (!isUsable(draft.entry.item)) leaveOut(draft, 'unusable_item', report);
    else draft.item = mend(draft.entry.item, (rule) => report(rule, draft));
    if (draft.item && isExpired(draft.item)) {
      draft.item = toldCode(draft.item);
      report('expired_container', draft);
    }
    if (draft.item && isEmptyMessage(draft.item)) leaveOut(draft, 'empty_message', report);
  }
}

function isUsable(item: Item): boolean {
  if (!isObject(item) || !INPUT_TYPES.has(item.type)) return false;
  switch (item.type) {
    case 'message':
      return (
        ['user', 'assistant', 'system', 'developer'].includes(String(item['role'])) &&
        (typeof item['content'] === 'string' || Array.isArray(item['content']))
      );
    case 'function_call':
    case 'custom_tool_call':
      return isText(item['call_id']) && isText(item['name']);
    case 'function_call_output':
    case 'custom_tool_call_output':
      return isText(item['call_id']) && item['output'] !== undefined;
    default:
      return true;
  }
}

function isText(value: Json | undefined): value is string {
  return typeof value === 'string' && value !== '';
}

function isEmptyMessage({ type, content }: Item): boolean {
  return type === 'message' && (content === '' || (Array.isArray(content) && content.length === 0));
}

/** One rule after the other; each answers the item itself when it has nothing to mend. */
function mend(item: Item, report: (rule: RepairRule) => void): Item {
  const rules: [RepairRule, (item: Item) => Item][] = [
    ['not_unicode', toUnicode],
    ['item_field', mendFields],
    ['item_status', mendStatus],
    ['item_id', mendId],
    ['call_id', mendCallId],
    ['call_name', mendName],
  ];
  const mended = rules.reduce((before, [rule, apply]) => {
    const after = apply(before);
    if (after !== before) report(rule);
    return after;
  }, item);
  return repairContent(mended, report);
}

function mendFields(item: Item): Item {
  const known = 'created_by' in item ? withoutField(item, 'created_by') : item;
  switch (known.type) {
    case 'function_call':
      return asText(known, 'arguments', '{}');
    case 'custom_tool_call':
      return asText(known, 'input', '');
    case 'function_call_output':
    case 'custom_tool_call_output':
      return Array.isArray(known['output']) ? known : asText(known, 'output', '');
    case 'reasoning':
      return Array.isArray(known['summary']) ? known : { ...known, summary: [] };
    default:
      return known;
  }
}

function asText(item: Item, field: string, missing: string): Item {
  const value = item[field];
  if (typeof value === 'string') return item;
  return { ...item, [field]: value === undefined ? missing : JSON.stringify(value) };
}

function mendStatus(item: Item): Item {
  const { type, status } = item;
  if (status === undefined) return item;
  const allowed = STATUSES[type] ?? STATUSES['default'] ?? [];
  if (typeof status === 'string' && allowed.includes(status)) return item;
  return NEEDED_STATUS.has(type) ? { ...item, status: 'completed' } : withoutField(item, 'status');
}

function mendId(item: Item): Item {
  const { id } = item;
  if (id === undefined || (isText(id) && id.length <= MAX_ID)) return item;
  return withoutField(item, 'id');
}

function mendCallId(item: Item): Item {
  const { call_id: id } = item;
  return isText(id) && id.length > MAX_ID
    ? { ...item, call_id: `call_${v5(id, NAMESPACE)}` }
    : item;
}

/** Of calls alone: an MCP server's names are its own. */
function mendName(item: Item): Item {
  const { name } = item;
  if (item.type !== 'function_call' || !isText(name)) return item;
  const possible = name.replace(/[^\w-]/g, '_').slice(0, MAX_NAME);
  return possible === name ? item : { ...item, name: possible };
}
