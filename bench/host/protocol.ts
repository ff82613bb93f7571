import type { Processes, Setup, TurnHistory, TurnTiming } from '../contestant.ts';

/** What a contestant's process does when asked, over the channel between processes. */
export interface Commands {
  start(setup: Setup): Promise<Processes>;
  /** Runs turns one after another in a new conversation. */
  runTurns(count: number): Promise<TurnTiming[]>;
  /** Runs turns of many conversations at once for so long; answers how many ended, and in how long. */
  runLoad(load: { concurrency: number; durationMs: number }): Promise<Load>;
  /** Runs one conversation up to each of these numbers of turns. */
  grow(turns: number[]): Promise<Growth[]>;
  stop(): Promise<void>;
}

export interface Load {
  turns: number;
  elapsedMs: number;
}

/** What one conversation has added. */
export interface Growth {
  turns: number;
  databaseBytes: number;
  histories: TurnHistory[];
}

export type CommandName = keyof Commands;

export interface Request {
  command: CommandName;
  argument: unknown;
}

export type Answer = { result: unknown } | { error: string };
