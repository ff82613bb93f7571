/** One environment variable that Turnkeeper reads. */
export interface Setting {
  /** As docs/configuration.md gives it; null where there is none. */
  default: string | null;
  unit?: 'bytes' | 'milliseconds';
  /** Bounds of a whole number, both included. */
  range?: readonly [min: number, max: number];
  oneOf?: readonly string[];
  /** Never printed, never echoed in an error. */
  secret?: true;
  description: string;
}
