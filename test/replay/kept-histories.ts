import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIRECTORY = fileURLToPath(new URL('./histories', import.meta.url));

/** A history as it was exported, as far as tests touch it. */
export interface ExportedHistory {
  events: Record<string, unknown>[];
}

export function keptVersions(): string[] {
  return readdirSync(DIRECTORY);
}

/** All histories of a version by file name, without its ending. */
export function keptHistories(version: string): Record<string, ExportedHistory> {
  const names = readdirSync(join(DIRECTORY, version)).map((file) => file.replace(/\.json$/, ''));
  return Object.fromEntries(names.map((name) => [name, keptHistory(version, name)]));
}

export function keptHistory(version: string, name: string): ExportedHistory {
  return JSON.parse(keptText(version, name)) as ExportedHistory;
}

export function keptText(version: string, name: string): string {
  return readFileSync(join(DIRECTORY, version, `${name}.json`), 'utf8');
}
