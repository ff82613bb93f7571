import { spine } from './0001-spine.ts';

/** In order; a landed one is never edited. */
export const MIGRATIONS: readonly { id: number; name: string; sql: string }[] = [
  { id: 1, name: 'spine', sql: spine },
];
