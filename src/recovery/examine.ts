import type { Checked } from '../contracts/checked.ts';
import { describeError } from '../contracts/thrown.ts';
import { examinations, type Examination, type MayEnd } from './examinations.ts';
import type { Recovery } from './recovery.ts';

/** Of what there may be much of, in batches. */
const MAX_ROUNDS = 100;
const MAX_EXAMPLES = 5;

/** Looks at all that may be wrong with the data, and mends what can be mended where it is asked to. */
export async function* examine(
  parts: Recovery,
  { fix, mayEnd }: { fix: boolean; mayEnd: MayEnd },
): AsyncGenerator<Checked, void, undefined> {
  for (const examination of examinations(parts, mayEnd)) yield await checked(examination, fix);
}

async function checked(examination: Examination, fix: boolean): Promise<Checked> {
  const { check } = examination;
  try {
    const before = await examination.find();
    if (before.length === 0) return { check, state: 'ok', detail: 'nothing found' };
    const after = fix ? await mendAll(examination, before) : before;
    const examples = (after.length > 0 ? after : before).slice(0, MAX_EXAMPLES);
    const detail = `${(after.length > 0 ? after : before).length} ${examination.explain}`;
    if (after.length === 0) return { check, state: 'mended', detail, examples };
    return { check, state: 'problem', detail, advice: examination.advice, examples };
  } catch (error) {
    return notLookedAt(check, error);
  }
}

export function notLookedAt(check: string, error: unknown): Checked {
  const detail = `could not be looked at: ${describeError(error)}`;
  return { check, state: 'problem', detail, advice: 'Mend what is named, and look again.' };
}

/** Answers what is left: of a batch that nothing was done for, no further one is begun. */
async function mendAll(examination: Examination, found: string[]): Promise<string[]> {
  let left = found;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const before = left;
    await examination.mend();
    left = await examination.find();
    if (left.length === 0 || left.join() === before.join()) break;
  }
  return left;
}
