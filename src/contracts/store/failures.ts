/** The database is away or broke off: worth trying again. */
export class StoreUnavailable extends Error {
  constructor(cause: unknown) {
    super(
      `The database did not answer: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
    this.name = 'StoreUnavailable';
  }
}

/** A refusal by the ledger; `reason` is one of contracts/failures.ts. */
export class StepRefused extends Error {
  readonly reason: 'turn_sealed' | 'turn_not_found' | 'store_rolled_back' | 'step_fenced';
  constructor(reason: StepRefused['reason'], message: string) {
    super(message);
    this.name = 'StepRefused';
    this.reason = reason;
  }
}
