import { Type } from '@sinclair/typebox';
import type { JsonPayload } from '../../contracts/codec.ts';
import { named } from './common.ts';

const Base64 = { type: 'string', contentEncoding: 'base64' };

const Payload = Type.Unsafe<JsonPayload>({
  type: 'object',
  properties: { metadata: { type: 'object', additionalProperties: Base64 }, data: Base64 },
});

/** Temporal's payloads as its tools send them. */
export const Payloads = named('Payloads', Type.Object({ payloads: Type.Array(Payload) }));
