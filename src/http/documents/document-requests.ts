// Documents for HTTP requests, through the actors of their owners on whichever node. Failures are thrown as Refusals.
import { createHash, randomBytes } from 'node:crypto';
import type { OwnerCall } from '../../../actors/link/calls.ts';
import type { LinkOp } from '../../../actors/link/link-messages.ts';
import type { KindName } from '../../../protocol/messages.ts';
import type { Answered, OwnerCalls } from '../../gateway/calls/owner-calls.ts';
import { Refusal } from '../api/refusals.ts';
import { ANY } from './tags.ts';

export interface DocumentRequestsOptions {
  readonly calls: Pick<OwnerCalls, 'ask'>;
  /** Bytes of content that may be in memory for requests. */
  readonly bytes: number;
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

/** Identifies a write, so that it is applied once however often it comes. */
export interface Author {
  readonly user: string;
  /** The client id of the patch. See `authorOf`. */
  readonly client: string;
}

export interface Write extends Author {
  readonly op: LinkOp;
  /** Left out: the head. */
  readonly base?: number | undefined;
  /** The document must have one of these tags. */
  readonly ifTags?: readonly string[] | undefined;
}

const CLIENT_BYTES = 18;
const AGAIN_MS = 500;

/**
 * The author of a write. A key that the user has chosen makes the same author again; without a key each author is a new
 * one.
 */
export function authorOf(user: string, key: string | undefined): Author {
  const bytes =
    key === undefined
      ? randomBytes(CLIENT_BYTES)
      : createHash('sha256')
          .update(JSON.stringify([user, key]))
          .digest()
          .subarray(0, CLIENT_BYTES);
  return { user, client: `http-${bytes.toString('base64url')}` };
}

export class DocumentRequests {
  readonly #options: DocumentRequestsOptions;
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
  async write(name: string, { client, user, op, base = -1, ifTags }: Write): Promise<Place> {
    // Any version of a document that exists will do.
    const ifTag = ifTags === undefined || ifTags.includes(ANY) ? null : ifTags;
    return this.#place(name, { type: 'write', client, user, base, ifTag }, op);
  }

  /** Creates the document, with its first patch if there is one. */
  async create(name: string, { user, client }: Author, kind: KindName, op: LinkOp | null): Promise<Place> {
    return this.#place(name, { type: 'create', client, user, kind }, op);
  }

  /** Deletes the document. */
  async remove(name: string): Promise<void> {
    await this.#ask(name, { type: 'remove', mark: randomBytes(CLIENT_BYTES).toString('base64url') });
  }

  /** Brings back the document that was deleted last. */
  async bringBack(name: string, trashMs: number): Promise<void> {
    const mark = randomBytes(CLIENT_BYTES).toString('base64url');
    await this.#ask(name, { type: 'bringBack', mark, trashMs });
  }

  async #place(name: string, call: OwnerCall, op: LinkOp | null): Promise<Place> {
    const { answer } = await this.#ask(name, call, op);
    if (answer.type !== 'committed') throw unexpected(answer);
    return { history: answer.history, version: answer.version };
  }

  async #ask(name: string, call: OwnerCall, op: LinkOp | null = null): Promise<Answered> {
    const answered = await this.#options.calls.ask(name, call, op);
    const { answer } = answered;
    if (answer.type === 'refused') throw new Refusal(answer.code, answer.message, answer.retryAfterMs);
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

const unexpected = (answer: Answered['answer']): Error => new Error(`an owner has answered ${answer.type}`);
