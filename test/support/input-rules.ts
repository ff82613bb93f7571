import type { Item, Json } from '../../src/contracts/json.ts';

const ROLES = ['user', 'assistant', 'system', 'developer'];
const TYPES =
  /^(message|reasoning|compaction|additional_tools|program(_output)?|(function|custom_tool|computer|local_shell|shell|apply_patch)_call(_output)?|(file_search|web_search|code_interpreter|image_generation|mcp)_call|mcp_(list_tools|approval_request|approval_response)|tool_search_(call|output))$/;

/**
 * What a server that speaks the Responses API would refuse this input for: written from its reference, and not from what
 * the repair does.
 */
export function mistakesOf(input: Item[], { stored = true } = {}): string[] {
  return [
    ...input.flatMap((item, index) => ownMistakes(item).map((mistake) => `${index}: ${mistake}`)),
    ...pairMistakes(input),
    ...idMistakes(input),
    ...input.flatMap((item, index) => reasoningMistakes(input, item, index, stored)),
  ];
}

function ownMistakes(item: Item): string[] {
  if (typeof item !== 'object' || !TYPES.test(item.type)) return ['no such type'];
  const mistakes = [];
  const { id, call_id: callId } = item;
  if (id !== undefined && !isShort(id)) mistakes.push('id');
  if (item.type.startsWith('function_call') && !isShort(callId)) mistakes.push('call_id');
  if (!['undefined', 'string'].includes(typeof item['status'])) mistakes.push('status');
  if (
    item.type === 'message' &&
    !/^(in_progress|completed|incomplete|undefined)$/.test(String(item['status']))
  )
    mistakes.push('status of a message');
  if (holdsHalfPair(item)) mistakes.push('not Unicode');
  if (item.type === 'message') mistakes.push(...messageMistakes(item));
  if (item.type === 'function_call') {
    if (typeof item['arguments'] !== 'string') mistakes.push('arguments');
    if (!/^[a-zA-Z0-9_-]{1,128}$/.test(String(item['name']))) mistakes.push('name');
  }
  if (item.type === 'function_call_output') {
    const { output } = item;
    if (typeof output !== 'string' && !Array.isArray(output)) mistakes.push('output');
  }
  if (item.type === 'reasoning' && !Array.isArray(item['summary'])) mistakes.push('summary');
  return mistakes;
}

function isShort(value: Json | undefined): boolean {
  return typeof value === 'string' && value.length >= 1 && value.length <= 64;
}

function holdsHalfPair(item: Item): boolean {
  return JSON.stringify(item).replaceAll('\\\\', '').includes('\\ud');
}

function messageMistakes({ role, content }: Item): string[] {
  if (!ROLES.includes(String(role))) return ['role'];
  if (typeof content === 'string') return content === '' ? ['nothing said'] : [];
  if (!Array.isArray(content) || content.length === 0) return ['nothing said'];
  const types = content.map((part) => String((part as Record<string, Json> | null)?.['type']));
  const allowed =
    role === 'assistant' ? /^(output_text|refusal)$/ : /^input_(text|image|file|audio)$/;
  const lost = /"(cfile_|sandbox:)/.test(JSON.stringify(content)) && role !== 'assistant';
  return [
    ...(types.every((type) => allowed.test(type)) ? [] : ['part']),
    ...(lost ? ['file'] : []),
  ];
}

function pairMistakes(input: Item[]): string[] {
  const mistakes: string[] = [];
  for (const kind of [
    'function_call',
    'custom_tool_call',
    'computer_call',
    'shell_call',
    'apply_patch_call',
  ]) {
    const ids = new Set(
      input.filter(({ type }) => type.startsWith(kind)).map((item) => item['call_id']),
    );
    for (const id of ids) {
      const order = input
        .filter((item) => item['call_id'] === id && [kind, `${kind}_output`].includes(item.type))
        .map(({ type }) => (type === kind ? 'c' : 'o'))
        .join('');
      if (!/^(co)*$/.test(order)) mistakes.push(`${kind} ${String(id)}: ${order}`);
    }
  }
  return mistakes;
}

function idMistakes(input: Item[]): string[] {
  const ids = input.map(({ id }) => id).filter((id) => id !== undefined);
  return new Set(ids).size === ids.length ? [] : ['an id twice'];
}

function reasoningMistakes(input: Item[], item: Item, index: number, stored: boolean): string[] {
  if (item.type !== 'reasoning') return [];
  const next = input.slice(index + 1).find(({ type }) => type !== 'reasoning');
  const follows =
    next &&
    !next.type.endsWith('_output') &&
    (next.type !== 'message' || next['role'] === 'assistant');
  const readable =
    stored || (typeof item['encrypted_content'] === 'string' && item['encrypted_content'] !== '');
  return [
    ...(follows ? [] : [`${index}: nothing follows`]),
    ...(readable ? [] : [`${index}: not stored`]),
  ];
}
