import type OpenAI from 'openai';
import { ModelError } from '../contracts/model.ts';
import type { Embedder } from '../contracts/retrieval.ts';
import { classifyModelFailure } from './classify.ts';
import { openaiClient } from './openai-client.ts';
import type { OpenAiSettings } from './openai-client.ts';

const TEXTS_PER_REQUEST = 256;
const REQUEST_TIMEOUT_MS = 60_000;

/** Vectors from OpenAI's embeddings API, or from any server that speaks it. Rejects with `ModelError`. */
export function openaiEmbedder(
  settings: OpenAiSettings & { model: string; dimensions: number },
): Embedder {
  const { model, dimensions } = settings;
  const client = openaiClient(settings);

  async function embedBatch(input: string[], signal: AbortSignal): Promise<number[][]> {
    try {
      const answer = await client.embeddings.create(
        // Floats, because servers other than OpenAI's know no base64, which the SDK would ask for.
        { model, input, dimensions, encoding_format: 'float' },
        { signal, timeout: REQUEST_TIMEOUT_MS },
      );
      return readVectors(answer, { count: input.length, dimensions });
    } catch (error) {
      throw classifyModelFailure(error, { secrets: [settings.apiKey] });
    }
  }

  return {
    space: `${model}-${String(dimensions)}`,
    dimensions,
    async embed(texts, { signal }) {
      const vectors: number[][] = [];
      for (let start = 0; start < texts.length; start += TEXTS_PER_REQUEST) {
        vectors.push(...(await embedBatch(texts.slice(start, start + TEXTS_PER_REQUEST), signal)));
      }
      return vectors;
    },
  };
}

/** Vectors in the order of the texts; a server that ignores `dimensions` is told apart here and not in the index. */
function readVectors(
  answer: Partial<OpenAI.CreateEmbeddingResponse>,
  expected: { count: number; dimensions: number },
): number[][] {
  const rows = Array.isArray(answer.data) ? answer.data : [];
  if (rows.length !== expected.count) {
    throw misfit(`answered ${String(expected.count)} texts with ${String(rows.length)} vectors`);
  }
  const vectors = rows.sort((a, b) => a.index - b.index).map((row) => row.embedding);
  const odd = vectors.find((vector) => vector.length !== expected.dimensions);
  if (odd === undefined) return vectors;
  throw misfit(
    `sent a vector of ${String(odd.length)} dimensions where ${String(expected.dimensions)} were asked for`,
  );
}

function misfit(what: string): ModelError {
  return new ModelError('protocol', `The embeddings server ${what}.`, { retryable: false });
}
