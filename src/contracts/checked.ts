/** What `turnkeeper doctor` says of one thing that it looked at. */
export interface Checked {
  check: string;
  /** `skipped`: it could not be looked at, for something that it needs is missing. */
  state: 'ok' | 'mended' | 'problem' | 'skipped';
  /** What was found, in a sentence. */
  detail: string;
  /** What to do about a problem. */
  advice?: string;
  /** Ids of some of what was found. */
  examples?: string[];
}
