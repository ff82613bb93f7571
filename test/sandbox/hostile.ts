import { GREEDY } from './hostile/greedy.ts';
import { PRYING } from './hostile/prying.ts';
import { SMUGGLING } from './hostile/smuggling.ts';
import { STUBBORN } from './hostile/stubborn.ts';

/** Programs that every sandbox must contain. */
export const HOSTILE_PROGRAMS = [...GREEDY, ...STUBBORN, ...PRYING, ...SMUGGLING];
