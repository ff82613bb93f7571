export { turn } from './turn.ts';
export { ingest } from './ingest.ts';
export { compensate } from './compensate.ts';
export { summarize } from './summarize.ts';
