import type { FastifyReply, FastifyRequest } from 'fastify';
import type { JsonPayload } from '../../contracts/codec.ts';
import { TurnkeeperError } from '../../contracts/errors.ts';
import type { Routes } from '../context.ts';
import { answers, ref } from '../schemas/common.ts';
import { Payloads } from '../schemas/codec.ts';

const CODEC_PATH = '/api/codec/decode';
/** As many payloads as a page of the Web UI asks for at once, each as large as Temporal takes. */
const MAX_BODY_BYTES = 32 * 1_048_576;

/** What Temporal's Web UI and CLI call to show what is encrypted. */
export const codecRoutes: Routes = (app, { codec, codecOrigin }) => {
  app.post(
    CODEC_PATH,
    {
      bodyLimit: MAX_BODY_BYTES,
      schema: {
        tags: ['codec'],
        summary: "Decodes payloads, as Temporal's remote codec",
        description:
          'What is not encrypted comes back as it is; what cannot be read, as a text. There is none without an origin for it.',
        body: ref(Payloads),
        response: answers({ 200: ref(Payloads) }),
      },
    },
    async (request, reply) => {
      // Whoever reaches it has payloads of all tenants decoded: it is there only for those who asked for it.
      if (codecOrigin === null) throw switchedOff();
      const { payloads } = checked(request.body);
      const decoded = codec ? await codec.decode(payloads) : payloads;
      // Pages read no error: the Web UI would take it for payloads, and shows what it has where it gets no answer.
      allowOrigin(codecOrigin, reply);
      return { payloads: decoded };
    },
  );
};

/** The site whose pages may send this request, beside our own. */
export function guestOf({ url }: FastifyRequest, codecOrigin: string | null): string | null {
  return url.split('?')[0] === CODEC_PATH ? codecOrigin : null;
}

/** A browser asks whether the guest's page may send it. Answers whether that was the question. */
export function answerPreflight(
  { method }: FastifyRequest,
  reply: FastifyReply,
  guest: string | null,
): boolean {
  if (guest === null || method !== 'OPTIONS') return false;
  allowOrigin(guest, reply);
  void reply.code(204).send();
  return true;
}

function allowOrigin(origin: string, reply: FastifyReply): void {
  reply.headers({
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'content-type, x-namespace, authorization',
    'access-control-allow-credentials': 'true',
    vary: 'origin',
  });
}

function checked(body: unknown): { payloads: JsonPayload[] } {
  const { payloads } = (body ?? {}) as { payloads?: unknown };
  if (!Array.isArray(payloads)) throw wrong('payloads', 'must be an array');
  return { payloads: payloads.map(checkedPayload) };
}

/** protojson leaves out what is empty. */
function checkedPayload(payload: unknown, index: number): JsonPayload {
  const field = `payloads[${index}]`;
  if (typeof payload !== 'object' || payload === null) throw wrong(field, 'must be an object');
  const { metadata = {}, data = '' } = payload as { metadata?: unknown; data?: unknown };
  if (typeof data !== 'string') throw wrong(`${field}.data`, 'must be a text in base64');
  if (typeof metadata !== 'object' || metadata === null || !Object.values(metadata).every(isText))
    throw wrong(`${field}.metadata`, 'must be an object of texts in base64');
  return { metadata: metadata as Record<string, string>, data };
}

function switchedOff(): TurnkeeperError {
  const message = `There is no POST ${CODEC_PATH} unless TURNKEEPER_CODEC_ORIGIN is set.`;
  return new TurnkeeperError('route_not_found', message);
}

const isText = (value: unknown): boolean => typeof value === 'string';

function wrong(field: string, mistake: string): TurnkeeperError {
  return new TurnkeeperError('invalid_request', `${field} ${mistake}.`, { field });
}
