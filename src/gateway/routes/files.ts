import { Type } from '@sinclair/typebox';
import type { Routes } from '../context.ts';
import { answers, ById, PAGE, pageOf, query, ref } from '../schemas/common.ts';
import { File } from '../schemas/documents.ts';

const tags = ['files'];

export const fileRoutes: Routes = (app, { clientFor }) => {
  app.get(
    '/api/files',
    {
      schema: {
        tags,
        summary: 'Files that tools made, of one turn where asked for',
        querystring: query({ ...PAGE, turnId: Type.Optional(Type.String()) }),
        response: answers({ 200: pageOf(File) }),
      },
    },
    async (request) => clientFor(request).files.list(request.query),
  );

  app.get(
    '/api/files/:id',
    {
      schema: {
        tags,
        summary: 'One file, without its bytes',
        params: ById,
        response: answers({ 200: ref(File) }),
      },
    },
    async (request) => clientFor(request).files.get(request.params.id),
  );

  app.get(
    '/api/files/:id/content',
    {
      schema: {
        tags,
        summary: 'The bytes of a file, to be saved and not shown',
        params: ById,
        produces: ['application/octet-stream'],
        response: answers({ 200: Type.Unsafe<Buffer>({ type: 'string', format: 'binary' }) }),
      },
    },
    async (request, reply) => {
      const { files } = clientFor(request);
      const [{ name }, content] = await Promise.all([
        files.get(request.params.id),
        files.read(request.params.id),
      ]);
      // Code made name and bytes: no browser is to take them for a page.
      return reply
        .header('content-type', 'application/octet-stream')
        .header('content-disposition', attachment(name))
        .header('content-security-policy', "default-src 'none'; sandbox")
        .send(Buffer.from(content.buffer, content.byteOffset, content.byteLength));
    },
  );
};

/** RFC 6266: the name as it is, in the one form that takes every character. */
function attachment(name: string): string {
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  return `attachment; filename*=UTF-8''${encoded}`;
}
