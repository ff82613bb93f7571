import { calcPrice } from '@pydantic/genai-prices';

/** What a provider bills a model call by. Cached tokens are input tokens too, reasoning tokens output tokens. */
export interface BilledTokens {
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
}

const PROVIDER = { providerId: 'openai' };

/** Dollars that a model call costs by OpenAI's list prices; null when the model is not among them. */
export function costOf(model: string, usage: BilledTokens): number | null {
  const { inputTokens, cachedTokens, outputTokens } = usage;
  const tokens = {
    input_tokens: inputTokens,
    cache_read_tokens: cachedTokens,
    output_tokens: outputTokens,
  };
  return calcPrice(tokens, model, PROVIDER)?.total_price ?? null;
}

export function isPriced(model: string): boolean {
  return costOf(model, { inputTokens: 0, cachedTokens: 0, outputTokens: 0 }) !== null;
}
