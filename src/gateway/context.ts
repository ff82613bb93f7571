import type { Static, TSchema } from '@sinclair/typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  FastifyTypeProvider,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { Turnkeeper } from '../client/client.ts';
import type { RemoteCodec } from '../contracts/codec.ts';
import type { Logger } from '../contracts/logger.ts';
import type { Limits } from '../conversation/limits.ts';
import type { StreamTiming } from './streams/deliver.ts';
import type { Streams } from './streams/streams.ts';

/** What this server is, for people. */
export interface Info {
  version: string;
  /** Temporal's Web UI, where it is known. */
  temporalUi: string | null;
  namespace: string;
  /** One line a part. */
  runsOn: string[];
}

/** What routes work with. */
export interface Context {
  /** The client of the tenant that the request is from. */
  clientFor: (request: FastifyRequest) => Turnkeeper;
  limits: Limits;
  info: Info;
  /** Resolves when the database answers. */
  databaseAnswers: () => Promise<void>;
  logger: Logger;
  /** Null where nothing is encrypted. */
  codec: RemoteCodec | null;
  /** The site of Temporal's Web UI, whose pages may have payloads decoded. */
  codecOrigin: string | null;
  streams: Streams;
  timing: StreamTiming;
}

/** Gives handlers the types of their route's schemas. */
interface SchemaTypes extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
}

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  SchemaTypes
>;

export type Routes = (app: App, context: Context) => void;
