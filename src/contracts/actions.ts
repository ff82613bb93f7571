import type { JsonObject } from './json.ts';

/** What a tool call waits for: outputs, from the caller who runs the tool, or leave to run it. */
export type ActionKind = 'outputs' | 'approval';

/** `closed`: its turn ended before anybody had decided it. */
export type ActionState = 'pending' | 'answered' | 'approved' | 'denied' | 'closed';

/** A waiting call, as its model call leaves it. */
export interface NewAction {
  callId: string;
  name: string;
  kind: ActionKind;
  arguments: JsonObject;
}

/** How it stands with the calls that a turn waits for. */
export interface ActionsRead {
  states: Record<string, ActionState>;
  /** How long the turn still waits at most, milliseconds; null once all of them are decided. */
  waitMs: number | null;
  /** What is left of the turn's own time, which stands still while it waits. */
  timeLeftMs: number;
}

/** The Update that tells a turn to read what was submitted. It has no payload, for that is in the store. */
export const ACTIONS_SUBMITTED = 'actionsSubmitted';
