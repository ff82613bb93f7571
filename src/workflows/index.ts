export { turn } from './turn.ts';
export { ingest } from './ingest.ts';
