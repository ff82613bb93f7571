import type { DocumentRecord, Page, PageRequest } from '../contracts/store.ts';
import { describeError } from '../contracts/thrown.ts';
import { label, optional, shape } from './checks.ts';
import { newDocument, type AddDocument } from './new-document.ts';
import type { Parts } from './parts.ts';
import { knownForm, PAGE, reportingOutage } from './requests.ts';
import { checkWait, waitFor, type WaitOptions } from './waiting.ts';

export type ListDocuments = PageRequest & { base?: string };

/** Every method also rejects with `database_unreachable`. */
export interface Documents {
  /**
   * Stores a document and starts its ingestion. Once this has resolved the document is durable: it will be indexed,
   * also when Temporal cannot be reached now. One that has failed is tried again when it is added again with its key.
   * @throws TurnkeeperError `invalid_request`, `input_empty`, `input_too_large` (`maxDocumentBytes`), `document_rejected`,
   * `idempotency_conflict`
   */
  add(document: AddDocument): Promise<DocumentRecord>;
  /** @throws TurnkeeperError `document_not_found` */
  get(id: string): Promise<DocumentRecord>;
  /**
   * Documents, of one knowledge base where asked for, oldest first unless asked otherwise.
   * @throws TurnkeeperError `invalid_request`, `invalid_cursor`
   */
  list(filter?: ListDocuments): Promise<Page<DocumentRecord>>;
  /**
   * Waits until the document is indexed or has failed: look at `status`. Rejects with the reason of `signal`, or with
   * a `TimeoutError` after `timeoutMs`.
   * @throws TurnkeeperError `document_not_found`, `invalid_request`
   */
  whenIndexed(id: string, options?: WaitOptions): Promise<DocumentRecord>;
}

const checkList = shape({ ...PAGE, base: optional(label) });

export function createDocuments(parts: Parts): Documents {
  const { store, tenant, limits } = parts;
  return {
    add: async (request) => {
      const document = newDocument(request, limits);
      const record = await reportingOutage(() => store.documents.create(tenant, document));
      if (record.status === 'stored') await ingestOrLeave(parts, record.id);
      return record;
    },
    get: async (id) => {
      const documentId = knownForm(id, 'document_not_found');
      return await reportingOutage(() => store.documents.get(tenant, documentId));
    },
    list: async (request = {}) => {
      checkList(request, '');
      const { base, ...page } = request;
      const filter = base === undefined ? {} : { base };
      return await reportingOutage(() => store.documents.list(tenant, filter, page));
    },
    whenIndexed: async (id, options = {}) => {
      checkWait(options, '');
      const documentId = knownForm(id, 'document_not_found');
      return await reportingOutage(() => whenIndexed(parts, documentId, options));
    },
  };
}

async function ingestOrLeave(
  { starter, tenant, logger }: Parts,
  documentId: string,
): Promise<void> {
  try {
    await starter.startIngest({ tenant, documentId });
  } catch (error) {
    const fields = { tenant, documentId, error: describeError(error) };
    logger.warn('ingestion not started, left to the sweep', fields);
  }
}

async function whenIndexed(
  { store, tenant }: Parts,
  documentId: string,
  options: WaitOptions,
): Promise<DocumentRecord> {
  return await waitFor(async () => {
    const record = await store.documents.get(tenant, documentId);
    return record.status === 'stored' ? null : record;
  }, options);
}
