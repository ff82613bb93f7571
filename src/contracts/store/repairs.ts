/** Rules of a model's input, by what is done where stored items break them. src/conversation/repair.ts explains each. */
export type RepairRule =
  | 'unusable_item'
  | 'empty_message'
  | 'message_part'
  | 'lost_file'
  | 'expired_container'
  | 'item_field'
  | 'item_status'
  | 'item_id'
  | 'call_id'
  | 'call_name'
  | 'not_unicode'
  | 'doubled_item'
  | 'doubled_call'
  | 'doubled_output'
  | 'output_without_call'
  | 'output_before_call'
  | 'call_without_output'
  | 'reasoning_not_kept'
  | 'reasoning_alone'
  | 'id_without_reasoning';

/** One item that a model is not shown as it is stored. */
export interface Repair {
  rule: RepairRule;
  /** Of the item in the conversation. */
  position: number;
}

/** What was repaired for a model call, as its step keeps it. */
export interface Repairs {
  total: number;
  /** The first ones. */
  listed: Repair[];
}
