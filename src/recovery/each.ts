export interface Tally {
  done: number;
  failed: number;
}

/** All at once: with Temporal away each item waits for its own time-out. One that fails is reported and holds up no other. */
export async function each<T>(
  items: T[],
  work: (item: T) => Promise<unknown>,
  report: (item: T, error: unknown) => void,
): Promise<Tally> {
  const outcomes = await Promise.all(
    items.map(async (item) => {
      try {
        await work(item);
        return true;
      } catch (error) {
        report(item, error);
        return false;
      }
    }),
  );
  const done = outcomes.filter(Boolean).length;
  return { done, failed: outcomes.length - done };
}

/** The same; answers for how many the work did something. */
export async function countDone<T>(
  items: T[],
  work: (item: T) => Promise<boolean>,
  report: (item: T, error: unknown) => void,
): Promise<number> {
  let count = 0;
  await each(
    items,
    async (item) => {
      if (await work(item)) count += 1;
    },
    report,
  );
  return count;
}
