/** Types of items that the Responses API takes as input, by the types of the `openai` package. */
export const INPUT_TYPES: ReadonlySet<string> = new Set([
  ...['message', 'reasoning', 'compaction', 'additional_tools', 'program', 'program_output'],
  ...['function_call', 'function_call_output', 'custom_tool_call', 'custom_tool_call_output'],
  ...['file_search_call', 'web_search_call', 'code_interpreter_call', 'image_generation_call'],
  ...['computer_call', 'computer_call_output', 'local_shell_call', 'local_shell_call_output'],
  ...['shell_call', 'shell_call_output', 'apply_patch_call', 'apply_patch_call_output'],
  ...['mcp_list_tools', 'mcp_approval_request', 'mcp_approval_response', 'mcp_call'],
  ...['tool_search_call', 'tool_search_output'],
]);

const USUAL = ['in_progress', 'completed', 'incomplete'];

/** Statuses by type of item. */
export const STATUSES: Readonly<Record<string, readonly string[]>> = {
  default: USUAL,
  file_search_call: [...USUAL, 'searching', 'failed'],
  web_search_call: ['in_progress', 'searching', 'completed', 'failed'],
  code_interpreter_call: [...USUAL, 'interpreting', 'failed'],
  image_generation_call: ['in_progress', 'generating', 'completed', 'failed'],
  mcp_call: [...USUAL, 'calling', 'failed'],
  apply_patch_call: ['in_progress', 'completed'],
  apply_patch_call_output: ['completed', 'failed'],
  program_output: ['completed', 'incomplete'],
};

/** Those that are refused without one. */
export const NEEDED_STATUS: ReadonlySet<string> = new Set([
  ...['file_search_call', 'web_search_call', 'code_interpreter_call', 'image_generation_call'],
  ...['computer_call', 'local_shell_call', 'apply_patch_call', 'apply_patch_call_output'],
  'program_output',
]);
