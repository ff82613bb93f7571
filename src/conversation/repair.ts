import type { ConversationItem, Repair } from '../contracts/store.ts';
import { callOutputs } from './repair/calls.ts';
import { singleItems } from './repair/doubles.ts';
import { survivors, type Draft } from './repair/draft.ts';
import { sendableItems } from './repair/items.ts';
import { reasoningWithReplies } from './repair/reasoning.ts';

export interface RepairedHistory {
  items: ConversationItem[];
  /** By position. */
  repairs: Repair[];
}

/**
 * Makes a history obey the rules of the Responses API's `input`, whatever is stored: a model refuses a whole request for
 * one item that breaks them, and would refuse it for ever. Items that obey them are passed on as they are, so that an
 * unbroken history is its own repair. What is repaired depends on an item and those before it; only calls whose outputs
 * are missing and a reply at the end wait for what comes. So the repair of a longer history begins with that of a shorter
 * one, up to the first call without an output, and the provider's cache holds.
 *
 * Items alone:
 * - `unusable_item`: of a type that is not taken as input, or without what its type cannot be without. Left out.
 * - `empty_message`: a message that says nothing. Left out.
 * - `message_part`: a part that this role does not send. Texts become the role's own kind, others are left out.
 * - `lost_file`: an image or a file in a sandbox or a container, which no model can read. Named in a text instead.
 * - `expired_container`: a code interpreter's call whose container has idled for 20 minutes. Told in a message instead.
 * - `item_field`: arguments or an output that are no text, reasoning without `summary`, or fields of answers alone. Mended.
 * - `item_status`: a status that the type does not have. Left out, or `completed` where one is needed.
 * - `item_id`: an id that is no text of 1 to 64 characters. Left out.
 * - `call_id`: over 64 characters. Replaced by a digest, in the call and its output alike.
 * - `call_name`: a name that no tool can have, made up by a model. Other characters become `_`.
 * - `not_unicode`: halves of surrogate pairs, which are not valid JSON to most. Replaced by U+FFFD.
 *
 * Items among others:
 * - `doubled_item`: an item whose id was there before. Left out when it is the same item or reasoning, else its id is.
 * - `doubled_call`, `doubled_output`: a second one under a call id that waits for its output, or has got it. Left out.
 * - `output_without_call`: left out. `output_before_call`: moved behind the calls that were made at once.
 * - `call_without_output`: gets one that says that its outcome is unknown; left out where nobody can make up an output.
 * - `reasoning_not_kept`: reasoning that the provider has not stored (`store: false`) and that is not encrypted. Left out.
 * - `reasoning_alone`: reasoning that no message or call of the same turn follows, or part of which is left out. Left out.
 * - `id_without_reasoning`: what followed such reasoning loses its id, by which the provider would miss it.
 *
 * A file or an image at the provider that was deleted there cannot be told from one that is there.
 */
export function repairHistory(
  history: ConversationItem[],
  { stored }: { stored: boolean },
): RepairedHistory {
  const repairs: Repair[] = [];
  const report = (rule: Repair['rule'], { entry }: Draft) =>
    void repairs.push({ rule, position: entry.position });
  const drafts = history.map((entry): Draft => ({ entry, item: entry.item }));
  sendableItems(drafts, report);
  const doubled = singleItems(survivors(drafts), report);
  const paired = callOutputs(survivors(drafts), report);
  reasoningWithReplies(survivors(paired), { stored, doubled }, report);
  const items = survivors(paired).map(({ entry, item }) =>
    item === entry.item ? entry : { ...entry, item },
  );
  return { items, repairs: repairs.sort((one, other) => one.position - other.position) };
}
