import type OpenAI from 'openai';
import type { OutputItem, WireEvent } from './wire.ts';

type Message = OpenAI.Responses.ResponseOutputMessage;
type Part = Message['content'][number];
interface Place {
  item_id: string;
  output_index: number;
}

/** The events that stream one output item, in OpenAI's order. */
export function* itemEvents(
  item: OutputItem,
  outputIndex: number,
  chunks: number | null,
): Generator<WireEvent> {
  const place = { item_id: item.id ?? '', output_index: outputIndex };
  yield { type: 'response.output_item.added', output_index: outputIndex, item: begun(item) };
  if (item.type === 'message') yield* messageEvents(item, place, chunks);
  if (item.type === 'function_call') yield* callEvents(item, place, chunks);
  if (item.type === 'reasoning') yield* reasoningEvents(item, place, chunks);
  if (item.type === 'web_search_call') yield* webSearchEvents(place);
  yield { type: 'response.output_item.done', output_index: outputIndex, item };
}

/** The item as it is announced: without what is still to come. */
function begun(item: OutputItem): OutputItem {
  switch (item.type) {
    case 'message':
      return { ...item, status: 'in_progress', content: [] };
    case 'function_call':
      return { ...item, status: 'in_progress', arguments: '' };
    case 'reasoning':
      return { ...item, summary: [] };
    case 'web_search_call':
      return { ...item, status: 'in_progress' };
    default:
      return item;
  }
}

function* messageEvents(item: Message, place: Place, chunks: number | null): Generator<WireEvent> {
  for (const [index, part] of item.content.entries()) {
    const at = { ...place, content_index: index };
    yield { type: 'response.content_part.added', ...at, part: emptyPart(part) };
    if (part.type === 'output_text') yield* textEvents(part, at, chunks);
    else yield* refusalEvents(part, at, chunks);
    yield { type: 'response.content_part.done', ...at, part };
  }
}

function emptyPart(part: Part): Part {
  return part.type === 'output_text'
    ? { ...part, text: '', annotations: [] }
    : { ...part, refusal: '' };
}

function* textEvents(
  part: OpenAI.Responses.ResponseOutputText,
  at: Place & { content_index: number },
  chunks: number | null,
): Generator<WireEvent> {
  for (const delta of splitText(part.text, chunks)) {
    yield { type: 'response.output_text.delta', ...at, delta, logprobs: [] };
  }
  for (const [index, annotation] of part.annotations.entries()) {
    yield {
      type: 'response.output_text.annotation.added',
      ...at,
      annotation_index: index,
      annotation,
    };
  }
  yield { type: 'response.output_text.done', ...at, text: part.text, logprobs: [] };
}

function* refusalEvents(
  part: OpenAI.Responses.ResponseOutputRefusal,
  at: Place & { content_index: number },
  chunks: number | null,
): Generator<WireEvent> {
  for (const delta of splitText(part.refusal, chunks)) {
    yield { type: 'response.refusal.delta', ...at, delta };
  }
  yield { type: 'response.refusal.done', ...at, refusal: part.refusal };
}

function* callEvents(
  item: OpenAI.Responses.ResponseFunctionToolCall,
  place: Place,
  chunks: number | null,
): Generator<WireEvent> {
  for (const delta of splitText(item.arguments, chunks)) {
    yield { type: 'response.function_call_arguments.delta', ...place, delta };
  }
  yield {
    type: 'response.function_call_arguments.done',
    ...place,
    name: item.name,
    arguments: item.arguments,
  };
}

function* reasoningEvents(
  item: OpenAI.Responses.ResponseReasoningItem,
  place: Place,
  chunks: number | null,
): Generator<WireEvent> {
  for (const [index, part] of item.summary.entries()) {
    const at = { ...place, summary_index: index };
    yield { type: 'response.reasoning_summary_part.added', ...at, part: { ...part, text: '' } };
    for (const delta of splitText(part.text, chunks)) {
      yield { type: 'response.reasoning_summary_text.delta', ...at, delta };
    }
    yield { type: 'response.reasoning_summary_text.done', ...at, text: part.text };
    yield { type: 'response.reasoning_summary_part.done', ...at, part };
  }
}

function* webSearchEvents(place: Place): Generator<WireEvent> {
  yield { type: 'response.web_search_call.in_progress', ...place };
  yield { type: 'response.web_search_call.searching', ...place };
  yield { type: 'response.web_search_call.completed', ...place };
}

/** Cut between words, or into that many pieces between characters. */
function splitText(text: string, chunks: number | null): string[] {
  if (chunks === null) return text.match(/\S+\s*|\s+/gu) ?? [];
  const characters = Array.from(text);
  const size = Math.max(1, Math.ceil(characters.length / chunks));
  const pieces: string[] = [];
  for (let start = 0; start < characters.length; start += size) {
    pieces.push(characters.slice(start, start + size).join(''));
  }
  return pieces;
}
