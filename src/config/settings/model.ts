import type { Setting } from './setting.ts';

/** The model provider. */
export const MODEL = {
  OPENAI_API_KEY: {
    default: null,
    secret: true,
    description: 'Key of the model provider. A worker needs it, or `OPENAI_BASE_URL`.',
  },
  OPENAI_BASE_URL: {
    default: null,
    description:
      'A server that speaks the Responses API, instead of OpenAI: `http://host:port/v1`.',
  },
  EMBEDDINGS: {
    default: 'auto',
    oneOf: ['auto', 'openai', 'local', 'none'],
    description:
      '`openai`, `local` (a small model in the worker) or `none` (full text alone). `auto` takes `openai` with a key, else `local`, else `none`.',
  },
  EMBEDDING_MODEL: {
    default: 'text-embedding-3-small',
    description: 'Embedding model of the provider.',
  },
  EMBEDDING_DIMENSIONS: {
    default: '512',
    range: [1, 2_000],
    description: 'Dimensions asked of the provider’s embedding model.',
  },
} as const satisfies Record<string, Setting>;
