import { createHash } from 'node:crypto';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { NewDocument } from '../contracts/store.ts';
import type { Limits } from '../conversation/limits.ts';
import { label, optional, refuse, shape, type Check } from './checks.ts';
import { checkLimit, requestKey } from './requests.ts';

export interface AddDocument {
  /** Name of the knowledge base; assistants search bases by name. */
  base: string;
  /** Name to cite the document by, without path separators, 1–255 characters. */
  name: string;
  /** UTF-8 where given as bytes. */
  content: string | Uint8Array;
  /** Told from the name's ending by default: `.txt`, `.md`, `.markdown`. */
  mediaType?: 'text/plain' | 'text/markdown';
  /** 1–255 printable characters. The same key and request give the same document. */
  idempotencyKey?: string;
}

const TYPE_BY_ENDING: Record<string, string> = {
  txt: 'text/plain',
  md: 'text/markdown',
  markdown: 'text/markdown',
};

const fileName: Check = (value, path) => {
  label(value, path);
  const name = value as string;
  if (/[/\\]/.test(name)) refuse(path, 'must not have path separators');
  if (name === '.' || name === '..') refuse(path, 'must be a name, not a path');
};

const content: Check = (value, path) => {
  const isBytes = Object.prototype.toString.call(value) === '[object Uint8Array]';
  if (typeof value !== 'string' && !isBytes) {
    refuse(path, 'must be a string or a Uint8Array');
  }
};

const checkAdd = shape({
  base: label,
  name: fileName,
  content,
  mediaType: optional(label),
  idempotencyKey: optional(label),
});

/** Checks a document and gives it the form in which it is stored. */
export function newDocument(request: AddDocument, limits: Limits): NewDocument {
  checkAdd(request, '');
  const { base, name } = request;
  const bytes = documentBytes(request.content, name, limits);
  const mediaType = documentType(request);
  const hash = createHash('sha256').update(bytes).digest('hex');
  const [key] = requestKey(request.idempotencyKey, { base, name, mediaType, content: hash });
  return { base, name, mediaType, content: bytes, ...(key ? { key } : {}) };
}

function documentType({ name, mediaType }: AddDocument): string {
  const ending = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  const type =
    mediaType ?? (Object.hasOwn(TYPE_BY_ENDING, ending) ? TYPE_BY_ENDING[ending] : undefined);
  if (type === 'text/plain' || type === 'text/markdown') return type;
  const given =
    mediaType === undefined
      ? 'its name does not end in .txt, .md or .markdown'
      : `it is ${mediaType}`;
  throw rejected(name, `is neither text/plain nor text/markdown: ${given}`);
}

function documentBytes(given: string | Uint8Array, name: string, limits: Limits): Uint8Array {
  const bytes = typeof given === 'string' ? Buffer.from(given) : given;
  checkLimit(bytes.byteLength, `bytes of document ${name}`, 'maxDocumentBytes', limits);
  const text = typeof given === 'string' ? given : decoded(bytes, name);
  if (/\p{Cs}/u.test(text))
    throw rejected(name, 'has half of a surrogate pair and is not valid Unicode');
  if (text.includes('\0')) throw rejected(name, 'has NUL characters and is not text');
  if (text.trim() === '') {
    throw new TurnkeeperError('input_empty', `Document ${name} has no content.`, {
      field: 'content',
    });
  }
  return bytes;
}

function decoded(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw rejected(name, 'is not valid UTF-8', error);
  }
}

function rejected(name: string, mistake: string, cause?: unknown): TurnkeeperError {
  return new TurnkeeperError('document_rejected', `Document ${name} ${mistake}.`, { name }, cause);
}
