import { existsSync, readFileSync } from 'node:fs';

export interface Effect {
  tool: string;
  key: string;
}

/** What tools did, in order. */
export function readEffects(file: string): Effect[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Effect);
}
