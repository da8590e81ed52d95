// A room of routes is a function that adds them to the API, and this file has the parts that it gets. rooms.ts lists all
// rooms.
//
// A room is written in its own folder below src/http. Its routes have a zod schema of parameters, query, body and
// answers, from which the OpenAPI document is made, and the access that they demand (access.ts).
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { RequestStore } from '../../../actors/storage/store.ts';
import type { Config } from '../../../config/schema.ts';
import type { Feed } from '../../events/feed.ts';
import type { Identity } from '../../identity/identity.ts';
import type { Administration } from '../../identity/start-users.ts';
import type { Past } from '../../past/past.ts';
import type { DocumentRequests } from '../documents/document-requests.ts';
import type { FormatPool } from '../documents/formats/format-pool.ts';
import type { CallerWay } from './access.ts';

export type ApiApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** The parts of the node that the API uses. They are there once the node has started. */
export interface ApiParts {
  /** The ways in which a caller is known. The first one that knows the caller decides. */
  readonly callers: readonly CallerWay[];
  /** Sessions and revocations. Undefined with `auth.mode: none`. */
  readonly administration?: Administration | undefined;
  /** Documents through the actors of their owners. */
  readonly documents: DocumentRequests;
  /** Questions to the database that need no owner. */
  readonly store: RequestStore;
  /** Documents as they were. */
  readonly past: Past;
  /** Documents in other forms. */
  readonly formats: FormatPool;
  /** The events of documents, for users that are looked at again and again. Undefined where events are switched off. */
  readonly events?:
    | { readonly feed: Pick<Feed, 'read' | 'size'>; readonly renew: Identity['renew'] }
    | undefined;
}

export interface RoomOptions {
  readonly config: Pick<Config, 'http' | 'limits' | 'retention' | 'events'>;
  /** Throws a Refusal while the node starts. Call it for each request. */
  readonly parts: () => ApiParts;
}

/** Adds the routes of one room. Their paths are below `/v1`. */
export type ApiRoom = (app: ApiApp, options: RoomOptions) => void;
