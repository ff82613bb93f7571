/** What every contestant is given. */
export interface Setup {
  /** `OPENAI_BASE_URL` of the scripted model, which all of them call. */
  modelUrl: string;
  /** A folder of its own. */
  scratch: string;
  temporalCli: string;
}

/** One turn as its caller saw it, milliseconds after it was asked for. */
export interface TurnTiming {
  firstDeltaMs: number;
  doneMs: number;
}

/** What a process is for: the backend is the application's own. */
export type Role = 'backend' | 'worker' | 'database' | 'temporal';

/** Processes that work for a contestant, by their ids. */
export type Processes = Partial<Record<Role, number>>;

/** What Temporal keeps of one turn. */
export interface TurnHistory {
  workflowTasks: number;
  events: number;
  bytes: number;
}

/** One way to run a turn. It lives in a process of its own, which stands for an application's backend. */
export interface Contestant {
  start(setup: Setup): Promise<void>;
  /** Begins a conversation and answers its id. Not measured. */
  openConversation(): Promise<string>;
  /** Sends `text`, streams the answer, and resolves when the turn has ended and its state is kept. */
  runTurn(conversation: string, text: string): Promise<TurnTiming>;
  /** All but the backend, which is the process it lives in. */
  processes(): Processes;
  /** Bytes of all its tables with their indexes, freshly vacuumed. */
  stateBytes(): Promise<number>;
  /** Of the turns of a conversation; empty where there are no workflows. */
  histories(conversation: string): Promise<TurnHistory[]>;
  stop(): Promise<void>;
}
