/** How much is measured. */
export interface Plan {
  /** Turns of each contestant before anything counts. */
  warmUp: number;
  /** Rounds of one block for each contestant; the first round is discarded. */
  rounds: number;
  /** Turns of a block; the first is discarded. */
  block: number;
  concurrency: number;
  /** Of each contestant under load, milliseconds, the first time discarded. */
  loadMs: number;
  loads: number;
  /** Turns of one conversation after which what is kept is weighed. */
  growth: number[];
}

/** About a quarter of an hour on two cores. */
export const FULL: Plan = {
  warmUp: 30,
  rounds: 9,
  block: 26,
  concurrency: 50,
  loadMs: 8_000,
  loads: 3,
  growth: [50, 500],
};

/** About two minutes: enough to see whether something has changed a lot. */
export const QUICK: Plan = {
  warmUp: 10,
  rounds: 3,
  block: 8,
  concurrency: 50,
  loadMs: 2_000,
  loads: 2,
  growth: [10, 50],
};

/** Enough to see that it runs. */
export const SMOKE: Plan = {
  warmUp: 1,
  rounds: 2,
  block: 2,
  concurrency: 4,
  loadMs: 300,
  loads: 2,
  growth: [1, 2],
};
