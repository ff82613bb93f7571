import * as specs from 'gpt-tokenizer/models';

/** What a provider bills a model call by. Cached tokens are input tokens too, reasoning tokens output tokens. */
export interface BilledTokens {
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
}

/** List prices, dollars a million tokens. */
interface Price {
  input: number;
  output: number;
  cached: number;
}

const TOKENS_OF_A_PRICE = 1_000_000;

/** Dollars that a model call costs by the provider's list prices; null when the model is in no list. */
export function costOf(model: string, usage: BilledTokens): number | null {
  const price = priceOf(model);
  if (price === null) return null;
  const { inputTokens, cachedTokens, outputTokens } = usage;
  const dollars =
    (inputTokens - cachedTokens) * price.input +
    cachedTokens * price.cached +
    outputTokens * price.output;
  return dollars / TOKENS_OF_A_PRICE;
}

export function isPriced(model: string): boolean {
  return priceOf(model) !== null;
}

/** The part of the package's model data that is read here. */
interface Spec {
  price_data?: { main?: { input?: number; output?: number; cached_output?: number } };
}

function priceOf(model: string): Price | null {
  const table: Record<string, unknown> = specs;
  const spec = Object.hasOwn(table, model) ? (table[model] as Spec) : {};
  const { input, output, cached_output: cached } = spec.price_data?.main ?? {};
  if (input === undefined || output === undefined) return null;
  // What is cached of a request is input; the package has its price under `cached_output`.
  return { input, output, cached: cached ?? input };
}
