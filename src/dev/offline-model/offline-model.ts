import { Gates } from './gates.ts';
import { Journal } from './journal.ts';
import { ResponseStore } from './responses.ts';
import type { Script } from './script.ts';

/** Everything one offline model remembers. */
export interface OfflineModel {
  /** Null until one is loaded: then it answers by itself. */
  script: Script | null;
  journal: Journal;
  responses: ResponseStore;
  gates: Gates;
  /** Requests whose connection is still in use. */
  open: number;
  /** Milliseconds between the deltas of its own answers. */
  deltaMs: number;
}

export function newOfflineModel(deltaMs: number): OfflineModel {
  return {
    script: null,
    journal: new Journal(),
    responses: new ResponseStore(),
    gates: new Gates(),
    open: 0,
    deltaMs,
  };
}
