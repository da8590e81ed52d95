// Documents for HTTP requests, through the actors of their owners on whichever node. Failures are thrown as Refusals.
import { randomBytes } from 'node:crypto';
import type { OwnerCall } from '../../../actors/link/calls.ts';
import type { LinkOp } from '../../../actors/link/link-messages.ts';
import type { ErrorCode } from '../../../protocol/errors.ts';
import type { KindName } from '../../../protocol/messages.ts';
import type { Answered, OwnerCalls } from '../../gateway/calls/owner-calls.ts';
import type { Quota } from '../../gateway/quotas/quota.ts';
import type { SharedQuotas } from '../../gateway/quotas/shared-quotas.ts';
import { organisationOf } from '../../gateway/subscriptions/channels.ts';
import { Refusal } from '../api/refusals.ts';
import { ANY } from './tags.ts';
import { clientOfKey, WriteClients } from './write-clients.ts';

export interface DocumentRequestsOptions {
  readonly calls: Pick<OwnerCalls, 'ask'>;
  /** Bytes of content that may be in memory for requests. */
  readonly bytes: number;
  /** The quotas that HTTP shares with sockets. Undefined: no limit. */
  readonly users?: Pick<SharedQuotas, 'once'> | undefined;
  readonly organisations?: Pick<SharedQuotas, 'once'> | undefined;
  /** ms that never go back. */
  readonly now?: () => number;
}

/** Content of a document, and its place. */
export interface Content {
  readonly kind: KindName;
  readonly history: string;
  readonly version: number;
  /** JSON text, in pieces. For yjs: base64 in quotes. */
  readonly content: readonly Uint8Array[];
  readonly bytes: number;
  /** Call it when the content is not used any more. */
  release(): void;
}

/** A place in the history of a document. */
export interface Place {
  readonly history: string;
  readonly version: number;
}

/** The user who writes, and the key of the write. */
export interface Author {
  readonly user: string;
  /** A write with a key that the user has chosen is applied once, however often it comes. */
  readonly key: string | undefined;
}

export interface Write extends Author {
  readonly op: LinkOp;
  /** Left out: the head. */
  readonly base?: number | undefined;
  /** The document must have one of these tags. */
  readonly ifTags?: readonly string[] | undefined;
}

const MARK_BYTES = 18;
const AGAIN_MS = 500;

export class DocumentRequests {
  readonly #options: DocumentRequestsOptions;
  readonly #writeClients = new WriteClients();
  #bytes = 0;

  constructor(options: DocumentRequestsOptions) {
    this.#options = options;
  }

  /** Bytes of content in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The document at its head, or its place alone if it has one of the tags. */
  async read(name: string, unless: readonly string[] = []): Promise<Content | Place> {
    if (this.#bytes > this.#options.bytes)
      throw new Refusal('overloaded', 'too many documents are on their way to readers', AGAIN_MS);
    const { answer, content } = await this.#ask(name, { type: 'read', unless });
    if (answer.type === 'unchanged') return answer;
    if (answer.type !== 'content') throw unexpected(answer);
    const { kind, history, version } = answer;
    return this.#held({ kind, history, version, content });
  }

  async readWhole(name: string): Promise<Content> {
    const found = await this.read(name);
    if ('content' in found) return found;
    throw new Error('a read without tags has no content');
  }

  /** Commits the patch, and returns its place. */
  async write(name: string, { user, key, op, base = -1, ifTags }: Write): Promise<Place> {
    this.#takeEdit(name, user, op);
    // Any version of a document that exists will do.
    const ifTag = ifTags === undefined || ifTags.includes(ANY) ? null : ifTags;
    const writer = key === undefined ? this.#writeClients.take(user) : clientOfKey(user, key);
    const { client, seq } = writer;
    const call: OwnerCall = { type: 'write', client, user, seq, base, ifTag };
    const answered = await this.#options.calls.ask(name, call, op);
    const { answer } = answered;
    // After any other answer the patch may still be on its way. Its id is not used any more.
    const isDone = answer.type === 'committed' || (answer.type === 'refused' && isFinal(answer.code));
    if (key === undefined && isDone) this.#writeClients.giveBack(writer);
    return placeOf(answer);
  }

  /** Creates the document, with its first patch if there is one. */
  async create(name: string, { user, key }: Author, kind: KindName, op: LinkOp | null): Promise<Place> {
    this.#takeEdit(name, user, op);
    const { client } = clientOfKey(user, key);
    const { answer } = await this.#options.calls.ask(name, { type: 'create', client, user, kind }, op);
    return placeOf(answer);
  }

  /** Deletes the document. */
  async remove(name: string, user: string): Promise<void> {
    await this.#ask(name, { type: 'remove', mark: randomBytes(MARK_BYTES).toString('base64url'), user });
  }

  /** Brings back the document that was deleted last. */
  async bringBack(name: string, trashMs: number, user: string): Promise<void> {
    const mark = randomBytes(MARK_BYTES).toString('base64url');
    await this.#ask(name, { type: 'bringBack', mark, trashMs, user });
  }

  /** Throws a Refusal if the user or the organisation has written too much. */
  #takeEdit(name: string, user: string, op: LinkOp | null): void {
    const { users, organisations, now = () => 0 } = this.#options;
    const bytes = op?.[1].length ?? 0;
    const take = (quota: Quota): number => quota.takeEdit(bytes, now());
    const waitMs = (users?.once(user, take) ?? 0) || (organisations?.once(organisationOf(name), take) ?? 0);
    if (waitMs > 0) throw new Refusal('rate-limited', 'too many edits', waitMs);
  }

  async #ask(name: string, call: OwnerCall): Promise<Answered> {
    const answered = await this.#options.calls.ask(name, call);
    if (answered.answer.type === 'refused') throw refusalOf(answered.answer);
    return answered;
  }

  #held(found: Omit<Content, 'bytes' | 'release'>): Content {
    const bytes = found.content.reduce((sum, piece) => sum + piece.length, 0);
    this.#bytes += bytes;
    let isHeld = true;
    const release = (): void => {
      if (isHeld) this.#bytes -= bytes;
      isHeld = false;
    };
    return { ...found, bytes, release };
  }
}

/** Throws a Refusal if the owner has refused. */
function placeOf(answer: Answered['answer']): Place {
  if (answer.type === 'refused') throw refusalOf(answer);
  if (answer.type !== 'committed') throw unexpected(answer);
  return { history: answer.history, version: answer.version };
}

const refusalOf = ({ code, message, retryAfterMs }: Answered['answer'] & { type: 'refused' }): Refusal =>
  new Refusal(code, message, retryAfterMs);

const FINAL: readonly ErrorCode[] = ['bad-op', 'test-failed', 'conflict', 'too-large', 'precondition-failed'];
/** The owner has looked at the patch and will not commit it. */
const isFinal = (code: ErrorCode): boolean => FINAL.includes(code);

const unexpected = (answer: Answered['answer']): Error => new Error(`an owner has answered ${answer.type}`);
