import type { Turnkeeper } from '../../client/client.ts';
import { TurnkeeperError, isTurnkeeperError } from '../../contracts/errors.ts';
import type { DocumentRecord } from '../../contracts/store.ts';
import type { DocumentFile, DocumentFolder } from './documents.ts';
import { count, withoutAdvice } from '../services/messages.ts';

const TOGETHER = 8;
const MAX_KEY_CHARACTERS = 255;
const TIMEOUT_MS = 60_000;
/** What is wrong with one file is no reason to leave out the others. */
const LEFT_OUT = ['document_rejected', 'input_empty', 'input_too_large', 'invalid_request'];

export interface IngestOptions {
  /** The knowledge base. */
  base: string;
  signal: AbortSignal;
  /** Asked what has kept a document from being indexed so far. */
  reasonSoFar: (documentId: string) => Promise<string | null>;
  /** Told how many files are through. */
  onProgress: (done: number) => void;
}

export interface Ingested {
  files: DocumentFile[];
  passages: number;
  /** Why a file is not in the knowledge base, a line for each. */
  left: string[];
}

interface FileResult {
  file: DocumentFile;
  passages: number;
  /** Null when it was indexed. */
  mistake: string | null;
}

/** Has every file indexed, a few at a time. Throws `invalid_request` when not one of them could be. */
export async function ingest(
  turnkeeper: Turnkeeper,
  { path, files }: DocumentFolder,
  options: IngestOptions,
): Promise<Ingested> {
  const results: FileResult[] = [];
  for (let from = 0; from < files.length; from += TOGETHER) {
    options.onProgress(from);
    const batch = files.slice(from, from + TOGETHER);
    results.push(
      ...(await Promise.all(batch.map((file) => ingestFile(turnkeeper, file, options)))),
    );
  }
  const indexed = results.filter(({ mistake }) => mistake === null);
  const left = results.flatMap(({ mistake }) => mistake ?? []);
  if (indexed.length === 0) {
    const others =
      left.length === 1 ? '' : ` So it was with ${count(left.length - 1, 'other file')}.`;
    const message = `Nothing of ${path} could be indexed. ${left[0] ?? ''}${others}`;
    throw new TurnkeeperError('invalid_request', message);
  }
  const passages = indexed.reduce((sum, result) => sum + result.passages, 0);
  return { files: indexed.map(({ file }) => file), passages, left };
}

async function ingestFile(
  { documents }: Turnkeeper,
  file: DocumentFile,
  { base, signal, reasonSoFar }: IngestOptions,
): Promise<FileResult> {
  const { name, content } = file;
  const idempotencyKey = `${base} ${name}`.slice(0, MAX_KEY_CHARACTERS);
  try {
    const { id } = await documents.add({ base, name, content, idempotencyKey });
    const document = await untilIndexed(documents, id, signal);
    if (document?.status === 'indexed')
      return { file, passages: document.chunks ?? 0, mistake: null };
    const why = document ? document.error?.message : await reasonSoFar(id);
    const what = document
      ? 'could not be indexed'
      : `was not indexed in ${TIMEOUT_MS / 1_000} seconds`;
    return leftOut(file, `${name} ${what}: ${why?.replace(/\.+$/, '') ?? 'nobody knows why'}.`);
  } catch (error) {
    return leftOut(file, mistakeOf(error));
  }
}

/** Null when it takes too long. */
async function untilIndexed(
  documents: Turnkeeper['documents'],
  id: string,
  signal: AbortSignal,
): Promise<DocumentRecord | null> {
  try {
    return await documents.whenIndexed(id, { signal, timeoutMs: TIMEOUT_MS });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'TimeoutError') return null;
    throw error;
  }
}

function leftOut(file: DocumentFile, mistake: string): FileResult {
  return { file, passages: 0, mistake };
}

/** Throws again what is no fault of the file. */
function mistakeOf(error: unknown): string {
  if (!isTurnkeeperError(error) || !LEFT_OUT.includes(error.code)) throw error;
  return withoutAdvice(error.code, error.message);
}
