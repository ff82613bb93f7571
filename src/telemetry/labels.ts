import { isPriced } from '../conversation/pricing.ts';

/** What a name becomes that gets no series of its own. */
export const OTHER = 'other';

/** Anybody may write any model into an assistant: so many that no price list knows have series of their own. */
const MAX_UNLISTED_MODELS = 20;

/** Answers the label of a model: a bounded number of them, however many assistants name. */
export function modelLabels(): (model: string) => string {
  const unlisted = new Set<string>();
  return (model) => {
    if (isPriced(model)) return model;
    if (unlisted.size < MAX_UNLISTED_MODELS) unlisted.add(model);
    return unlisted.has(model) ? model : OTHER;
  };
}
