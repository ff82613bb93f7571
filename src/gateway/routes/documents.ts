import { Type } from '@sinclair/typebox';
import type { AddDocument } from '../../client/new-document.ts';
import type { App, Routes } from '../context.ts';
import { answers, ById, KeyHeader, PAGE, pageOf, query, ref } from '../schemas/common.ts';
import { Document } from '../schemas/documents.ts';

const tags = ['documents'];
/** Undefined for an empty one. */
const Bytes = Type.Unsafe<Uint8Array | undefined>({ type: 'string', format: 'binary' });

export const documentRoutes: Routes = (app, context) => {
  const { clientFor } = context;

  // A scope of its own: its bodies are bytes, whatever their type.
  void app.register((scope: App, _options, done) => {
    addDocument(scope, context);
    done();
  });

  app.get(
    '/api/documents',
    {
      schema: {
        tags,
        summary: 'Documents, of one knowledge base where asked for',
        querystring: query({ ...PAGE, base: Type.Optional(Type.String()) }),
        response: answers({ 200: pageOf(Document) }),
      },
    },
    async (request) => clientFor(request).documents.list(request.query),
  );

  app.get(
    '/api/documents/:id',
    {
      schema: {
        tags,
        summary: 'One document; `status` says whether it can be found',
        params: ById,
        response: answers({ 200: ref(Document) }),
      },
    },
    async (request) => clientFor(request).documents.get(request.params.id),
  );
};

const addDocument: Routes = (app, { clientFor, limits }) => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  app.post(
    '/api/documents',
    {
      bodyLimit: limits.maxDocumentBytes,
      schema: {
        tags,
        summary: 'Stores a document and starts its ingestion',
        description: 'The content type is that of the document; without one its name tells.',
        consumes: ['text/plain', 'text/markdown'],
        headers: KeyHeader,
        querystring: query({
          base: Type.String({ description: 'The knowledge base.' }),
          name: Type.String({ description: 'Name to cite it by.' }),
        }),
        body: Bytes,
        response: answers({ 201: ref(Document) }),
      },
    },
    async (request, reply) => {
      const key = request.headers['idempotency-key'];
      const mediaType = mediaTypeOf(request.headers['content-type']);
      const document = {
        ...request.query,
        content: request.body ?? new Uint8Array(),
        ...(mediaType !== undefined && { mediaType }),
        ...(key !== undefined && { idempotencyKey: key }),
      } as AddDocument;
      return reply.code(201).send(await clientFor(request).documents.add(document));
    },
  );
};

/** Undefined where it says nothing. */
function mediaTypeOf(contentType: string | undefined): string | undefined {
  const [type = ''] = (contentType ?? '').split(';');
  const mediaType = type.trim().toLowerCase();
  return mediaType === '' || mediaType === 'application/octet-stream' ? undefined : mediaType;
}
