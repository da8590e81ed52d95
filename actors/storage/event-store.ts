// The port of events: what a node asks of the database to tell the changes of documents. The documents are marked by the
// statements that change them (postgres/documents/marks.ts). Every call rejects with StoreUnavailable if the database is
// out of reach, and may then be made again.
import type { DocumentId, SessionId } from './store.ts';

export const EVENT_TYPES = ['created', 'changed', 'deleted'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export interface StoredEvent {
  /** Rises by one from event to event, in the order in which events became visible. */
  readonly id: number;
  readonly doc: DocumentId;
  readonly org: string;
  readonly name: string;
  readonly type: EventType;
  /** `changed`: the patches in (since, version] are new. */
  readonly since: number;
  readonly version: number;
  /** The user who created the document, brought it back or deleted it. Null: not known, or a change. */
  readonly by: string | null;
  /** When it happened, or if that is not known, when it was told. ISO 8601. */
  readonly at: string;
}

/**
 * - told: so many marks of a session were taken, and so many events written for them.
 * - locked: the session does not answer; its documents are told later.
 * - nothing: nothing is due. busy: another node is at it.
 */
export type Telling =
  | { readonly type: 'told'; readonly session: SessionId; readonly marks: number; readonly events: number }
  | { readonly type: 'locked'; readonly session: SessionId }
  | { readonly type: 'nothing' }
  | { readonly type: 'busy' };

/** The events that the database has: those in (pruned, newest]. */
export interface EventBounds {
  readonly newest: number;
  readonly pruned: number;
}

/** A message for a receiver, taken by one node for a time. */
export interface WebhookMessage extends Omit<StoredEvent, 'id'> {
  /** The newest event that it tells. */
  readonly event: number;
  /** This one included. */
  readonly attempts: number;
}

export interface WebhookRow extends WebhookMessage {
  readonly endpoint: string;
  readonly nextAt: string;
  /** Null unless it is parked. */
  readonly parkedAt: string | null;
  readonly problem: string | null;
}

export interface EventStore {
  /**
   * Writes the events that are due of one session, at most TELL_AT_ONCE documents, and takes their marks. A document that
   * has not changed since its last event gets none. Sessions in `skipped` are left alone.
   */
  tell(skipped: readonly SessionId[]): Promise<Telling>;
  bounds(): Promise<EventBounds>;
  /** Events above `after` in order, at most `limit`; of one organisation, or of all. */
  page(after: number, limit: number, org?: string): Promise<readonly StoredEvent[]>;
  /** The users of the patches in (since, upTo], each once. Bounded: of a long stretch, those of its newest part. */
  usersOf(doc: DocumentId, since: number, upTo: number): Promise<readonly string[]>;
  /**
   * Removes events that are older, at most `limit`, and none that one of these endpoints has not taken. Returns their
   * number.
   */
  prune(keepMs: number, limit: number, endpoints: readonly string[]): Promise<number>;
  /** Makes the endpoint known. A new one gets the events from now on. */
  addEndpoint(endpoint: string): Promise<void>;
  /**
   * Makes messages of the events that the endpoint has not taken, for documents whose `org/name` is like one of `likes`.
   * A newer change of a document takes the place of an unsent one. False if there was nothing.
   */
  queue(endpoint: string, likes: readonly string[]): Promise<boolean>;
  /**
   * Messages that are due, for `leaseMs`. After that time another node may take them. Of all documents of one name the
   * oldest message alone is taken, and none while another one is being sent; those that are parked hold nothing up.
   */
  take(endpoint: string, limit: number, leaseMs: number): Promise<readonly WebhookMessage[]>;
  delivered(endpoint: string, message: WebhookMessage): Promise<void>;
  /** True if the message is parked now, because it is older than `retryForMs`. */
  failed(
    endpoint: string,
    message: WebhookMessage,
    how: { readonly problem: string; readonly againMs: number; readonly retryForMs: number },
  ): Promise<boolean>;
  /** The oldest messages without a confirmation. */
  waiting(limit: number): Promise<readonly WebhookRow[]>;
  parkedCount(): Promise<number>;
  /** Has parked messages sent again, of one endpoint or of all. Returns their number. */
  retry(endpoint: string | undefined): Promise<number>;
  close(): Promise<void>;
}

/** Documents that are told in one statement. Their session's batches wait for it. */
export const TELL_AT_ONCE = 200;
