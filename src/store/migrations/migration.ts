/** `on` begins with the table, without its schema. */
export interface NewIndex {
  name: string;
  on: string;
}

/** Statements that are done in a moment under locks, or indexes on tables that may be large. */
export type Migration = { id: number; name: string } & ({ sql: string } | { indexes: NewIndex[] });
