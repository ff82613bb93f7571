import { ApplicationFailure, heartbeat } from '@temporalio/activity';
import { FAILURE } from '../contracts/failures.ts';
import type { Chunk } from '../contracts/retrieval.ts';
import type { DocumentRecord, StepFailure } from '../contracts/store.ts';
import type { IngestActivities, IngestInput } from '../contracts/turn.ts';
import { chunkTextInSlices } from '../conversation/chunks.ts';
import { whileBeating } from './attempt.ts';
import { cancelSignal } from './cancellation.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { messageOf, throwingFailures } from './failures.ts';

type Dependencies = Pick<ActivityDependencies, 'store' | 'index' | 'embedder' | 'logger'>;

const BATCH = 32;

export function createIngest(dependencies: Dependencies): IngestActivities {
  return {
    indexDocument: (input) =>
      throwingFailures(() => whileBeating(() => indexDocument(dependencies, input))),
    failDocument: (input) => throwingFailures(() => failDocument(dependencies, input)),
  };
}

/** Takes back what was indexed of it, as far as the index can be had. */
async function failDocument(
  { store, index, logger }: Dependencies,
  { tenant, documentId, reason, message }: IngestInput & StepFailure,
): Promise<void> {
  await store.documents.markFailed(tenant, documentId, { reason, message });
  try {
    await index?.deleteDocument({ tenant, documentId });
  } catch (error) {
    const fields = { tenant, document: documentId, failure: messageOf(error) };
    logger.warn('chunks of a failed document are left in the index', fields);
  }
}

/** Chunk ids follow from document and place, so that indexing again writes the same rows. */
async function indexDocument(
  { store, index, embedder, logger }: Dependencies,
  { tenant, documentId }: IngestInput,
): Promise<{ chunks: number }> {
  // Another worker may have one.
  if (!index) throw new Error('This worker has no vector index.');
  const startedAt = Date.now();
  const record = await store.documents.get(tenant, documentId);
  if (record.status === 'indexed') return { chunks: record.chunks ?? 0 };
  const text = decode(record, await store.documents.read(tenant, documentId));
  const chunks = await chunkTextInSlices(documentId, text);
  for (const batch of batches(chunks)) {
    const signal = cancelSignal();
    signal.throwIfAborted();
    const vectors =
      embedder &&
      (await embedder.embed(
        batch.map(({ text }) => text),
        { signal },
      ));
    await index.upsert(
      { tenant, base: record.base, documentId, name: record.name },
      batch,
      vectors,
    );
    heartbeat();
  }
  await index.deleteDocument({ tenant, documentId }, chunks.length);
  await store.documents.markIndexed(tenant, documentId, chunks.length);
  const fields = {
    tenant,
    document: documentId,
    chunks: chunks.length,
    ms: Date.now() - startedAt,
  };
  logger.info('document indexed', fields);
  return { chunks: chunks.length };
}

function decode({ name }: DocumentRecord, content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw rejected(`${name} is not valid UTF-8.`);
  }
}

function rejected(message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: FAILURE.documentRejected, message, nonRetryable: true });
}

function* batches(chunks: Chunk[]): Generator<Chunk[]> {
  for (let start = 0; start < chunks.length; start += BATCH)
    yield chunks.slice(start, start + BATCH);
}
