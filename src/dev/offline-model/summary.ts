import type { Json } from '../../contracts/json.ts';
import { SUMMARY_HEADING } from '../../conversation/summary.ts';
import { isObject } from '../../conversation/items.ts';
import { text } from './request.ts';

const MAX_POINTS = 12;
const MAX_CHARACTERS = 160;

/** What users said first in each message, point by point, behind the points of the summary before; null for no record. */
export function offlineSummary(message: string): string | null {
  if (!message.startsWith(SUMMARY_HEADING)) return null;
  const [, before = '', next = ''] = message.split('\n\n');
  const points = [...pointsOf(valueIn(before)), ...next.split('\n').flatMap(newPoint)];
  return ['Said so far:', ...points.slice(-MAX_POINTS)].join('\n');
}

function valueIn(block: string): string {
  return text(parsed(block.split('\n')[1] ?? ''));
}

function pointsOf(summary: string): string[] {
  return summary.split('\n').filter((line) => line.startsWith('- '));
}

function newPoint(line: string): string[] {
  const entry = parsed(line);
  if (!isObject(entry) || entry['from'] !== 'user') return [];
  const [first = ''] = text(entry['text']).split('\n');
  return [`- ${first.slice(0, MAX_CHARACTERS)}`];
}

function parsed(line: string): Json {
  try {
    return JSON.parse(line) as Json;
  } catch {
    return null;
  }
}
