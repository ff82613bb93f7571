import { Type } from '@sinclair/typebox';
import { Count, Id, named, nullable, Time, words } from './common.ts';

export const Document = named(
  'Document',
  Type.Object({
    id: Id,
    base: Type.String(),
    name: Type.String(),
    mediaType: Type.String(),
    bytes: Count,
    status: words('stored', 'indexed', 'failed'),
    chunks: nullable(Count),
    error: nullable(Type.Object({ reason: Type.String(), message: Type.String() })),
    createdAt: Time,
  }),
);

export const File = named(
  'File',
  Type.Object({
    id: Id,
    turnId: Id,
    name: Type.String(),
    mediaType: Type.String(),
    bytes: Count,
    createdAt: Time,
  }),
);
