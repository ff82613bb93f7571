import type { Contestant } from '../contestant.ts';

/** A contestant, made in the process that it lives in: its packages are loaded nowhere else. */
interface Entry {
  title: string;
  /** What it keeps, and what it does not do. */
  note: string;
  create(): Promise<Contestant>;
}

/** In the order of the report. */
export const CONTESTANTS = {
  memory: {
    title: 'loop in memory',
    note: 'Keeps nothing. The zero point: what the others take more than this is what they add.',
    create: async () => (await import('./memory-loop.ts')).memoryLoop(),
  },
  loop: {
    title: 'loop, two transactions',
    note: 'One PostgreSQL transaction before the model call, one after it. A turn whose process dies is lost, with its answer; nothing can be read again while it runs.',
    create: async () => (await import('./postgres-loop.ts')).postgresLoop(),
  },
  langgraph: {
    title: 'LangGraph',
    note: 'One model node, PostgresSaver, durability as by default (`async`), deltas through the custom stream writer. A thread is resumed by whoever calls it again; deltas that were streamed are not kept.',
    create: async () => (await import('./langgraph.ts')).langGraph(),
  },
  dbos: {
    title: 'DBOS',
    note: 'A workflow of three steps (load, model call, save), one write to a DBOS stream for each delta, read by the caller. Interrupted workflows are resumed when their executor is back; a model call that was interrupted starts over, after what was streamed before.',
    create: async () => (await import('./dbos.ts')).dbos(),
  },
  temporal: {
    title: 'Temporal alone, one process',
    note: 'The loop in memory inside a workflow of the shape of a plain turn, whose activities keep nothing: what the Temporal SDK and its development server take by themselves. The rest of what Turnkeeper takes in one process is its own.',
    create: async () => (await import('./bare-temporal.ts')).bareTemporal(),
  },
  'single-postgres': {
    title: 'Turnkeeper, one process, PostgreSQL',
    note: 'Client and worker in one process (`connectWithWorker`), eager workflow start; Temporal development server, history in memory.',
    create: async () => (await import('./turnkeeper.ts')).turnkeeper('single', 'postgres'),
  },
  'single-pglite': {
    title: 'Turnkeeper, one process, PGlite',
    note: 'The same with the embedded database, which runs in a process of its own.',
    create: async () => (await import('./turnkeeper.ts')).turnkeeper('single', 'pglite'),
  },
  'processes-postgres': {
    title: 'Turnkeeper, two processes, PostgreSQL',
    note: 'Client in the backend, worker in a process of its own: how it is deployed.',
    create: async () => (await import('./turnkeeper.ts')).turnkeeper('processes', 'postgres'),
  },
  'processes-pglite': {
    title: 'Turnkeeper, two processes, PGlite',
    note: 'The same with the embedded database.',
    create: async () => (await import('./turnkeeper.ts')).turnkeeper('processes', 'pglite'),
  },
} as const satisfies Record<string, Entry>;

export type ContestantName = keyof typeof CONTESTANTS;

export const CONTESTANT_NAMES = Object.keys(CONTESTANTS) as ContestantName[];
