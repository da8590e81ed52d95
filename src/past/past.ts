// The past of documents for HTTP: pages of the log, the content of a version, authors, names, and the patches that
// restore or revert. It owns what is asked of the store and what of the threads, and the cache of old versions. It
// decides no rights and submits nothing.
import { LRUCache } from 'lru-cache';
import type { PastJob } from '../../actors/compute/past-job.ts';
import type { PastTask } from '../../actors/compute/past-worker.ts';
import type { NamedVersion, PastDocument, PastPatch, PastStore } from '../../actors/storage/past-store.ts';
import type { DocumentId } from '../../actors/storage/store.ts';
import type { PastPool, PastPoolOutcome } from '../compute/past-pool.ts';
import { SharedWork } from './shared-work.ts';

export interface PastOptions {
  readonly store: PastStore;
  readonly pool: Pick<PastPool, 'run'>;
  /** The database for the threads. Read for each job: its timeline may rise. */
  readonly storage: () => PastTask['storage'];
  readonly cacheBytes: number;
  /** Most names of one document. */
  readonly namedVersions: number;
  /** A client id of Yjs for a restored document: 32 random bits. */
  readonly newClientId: () => number;
}

export interface PastFailure {
  readonly ok: false;
  readonly code:
    | 'bad-message'
    | 'conflict'
    | 'not-found'
    | 'overloaded'
    | 'too-large'
    | 'version-too-old'
    | 'version-unknown'
    | 'wrong-kind';
  readonly message: string;
}
export type PastResult<T> = { readonly ok: true; readonly value: T } | PastFailure;

/** Which version is meant. Without any of them, the head. */
export interface Which {
  readonly version?: number | undefined;
  /** Milliseconds since 1970. */
  readonly at?: number | undefined;
  readonly name?: string | undefined;
}

export interface PageRequest {
  /** The first and the last version. Default: 1, and the head. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly limit: number;
}
export interface Page {
  readonly patches: readonly PastPatch[];
  /** The version with which the next page begins. */
  readonly next?: number;
}

/** A patch for the head that it was made on. `op` is undefined if it would change nothing. */
export interface PatchFromPast {
  readonly base: number;
  /** JSON text, or a yjs update. */
  readonly op: Uint8Array | undefined;
}

/** Most bytes of patches on one page. */
const PAGE_BYTES = 1024 * 1024;

export class Past {
  readonly #options: PastOptions;
  readonly #cache: LRUCache<string, Uint8Array>;
  readonly #shared = new SharedWork<PastPoolOutcome>();

  constructor(options: PastOptions) {
    this.#options = options;
    this.#cache = new LRUCache({
      maxSize: options.cacheBytes,
      sizeCalculation: (bytes, key) => bytes.byteLength + 2 * key.length + 100,
    });
  }

  /** Undefined if there is no such document. */
  find(org: string, name: string): Promise<PastDocument | undefined> {
    return this.#options.store.document(org, name);
  }

  /** The version that is meant, if the document has it. It may be before the kept history. */
  async version(document: PastDocument, { version, at, name }: Which): Promise<PastResult<number>> {
    const { head, folded, createdAt } = document;
    if (version !== undefined) return version > head ? unknown(version, head) : { ok: true, value: version };
    if (name !== undefined) {
      const named = await this.#options.store.name(document, name);
      return named === undefined
        ? { ok: false, code: 'not-found', message: 'no version has this name' }
        : { ok: true, value: named.version };
    }
    if (at === undefined) return { ok: true, value: head };
    if (at < createdAt)
      return { ok: false, code: 'version-unknown', message: 'the document did not exist at this time' };
    const found = await this.#options.store.versionAt(document, at);
    if (found === 0 && folded > 0) return tooOld(`the kept history begins later than this time`);
    return { ok: true, value: found };
  }

  async page(document: PastDocument, { from, to, limit }: PageRequest): Promise<PastResult<Page>> {
    const { head, folded } = document;
    const first = from ?? folded + 1;
    const last = Math.min(to ?? head, head);
    if (first > head + 1) return unknown(first, head);
    if (first <= folded) return tooOld(`the kept history begins at version ${folded + 1}`);
    if (first > last) return { ok: true, value: { patches: [] } };
    const patches = await this.#options.store.patches(document, first - 1, last, {
      limit,
      maxBytes: PAGE_BYTES,
    });
    if (patches[0]?.version !== first) return tooOld(`version ${first} is before the kept history`);
    const reached = patches.at(-1)?.version ?? last;
    return { ok: true, value: reached < last ? { patches, next: reached + 1 } : { patches } };
  }

  /** The content at a version in the form of a snapshot: JSON text, or one yjs update. */
  async content(
    document: PastDocument,
    version: number,
    signal: AbortSignal,
  ): Promise<PastResult<Uint8Array>> {
    if (version > document.head) return unknown(version, document.head);
    return this.#cached(`content ${version}`, document, { type: 'content', version }, signal);
  }

  /** The authors of the content at the head, as JSON text. */
  async authors(document: PastDocument, signal: AbortSignal): Promise<PastResult<Uint8Array>> {
    const { head } = document;
    return this.#cached(`authors ${head}`, document, { type: 'authors', version: head }, signal);
  }

  /**
   * Keeps the authors of the content at the head in the store, where the log is longer than what is kept by `least` patches
   * or more. Returns the version up to which they are kept; undefined if there is no such document.
   */
  async keepAuthors(
    id: DocumentId,
    least: number,
    signal: AbortSignal,
  ): Promise<PastResult<number> | undefined> {
    const { store } = this.#options;
    const document = await store.documentOf(id);
    if (document === undefined) return undefined;
    const { head, history } = document;
    const kept = await store.authorsVersion(id, history);
    if (head - kept < least) return { ok: true, value: kept };
    const outcome = await this.#start(document, { type: 'keep-authors', version: head }, signal);
    return outcome.ok ? { ok: true, value: head } : outcome;
  }

  async patchToRestore(
    document: PastDocument,
    version: number,
    signal: AbortSignal,
  ): Promise<PastResult<PatchFromPast>> {
    const { head } = document;
    if (version > head) return unknown(version, head);
    const job = { type: 'restore', version, head, clientId: this.#options.newClientId() } as const;
    return patchOn(head, await this.#start(document, job, signal));
  }

  async patchToRevert(
    document: PastDocument,
    { from, to, user }: { readonly from: number; readonly to: number; readonly user?: string | undefined },
    signal: AbortSignal,
  ): Promise<PastResult<PatchFromPast>> {
    const { head, folded } = document;
    if (from > to) return { ok: false, code: 'bad-message', message: '`from` is above `to`' };
    if (to > head) return unknown(to, head);
    if (from <= folded) return tooOld(`the kept history begins at version ${folded + 1}`);
    const job = { type: 'revert', from, to, head, ...(user === undefined ? {} : { user }) } as const;
    return patchOn(head, await this.#start(document, job, signal));
  }

  names(document: PastDocument, after: string, limit: number): Promise<readonly NamedVersion[]> {
    return this.#options.store.names(document, after, limit);
  }

  name(document: PastDocument, name: string): Promise<NamedVersion | undefined> {
    return this.#options.store.name(document, name);
  }

  /** Names a version, whose content is kept from then on. */
  async putName(
    document: PastDocument,
    named: Pick<NamedVersion, 'name' | 'version' | 'user'>,
    signal: AbortSignal,
  ): Promise<PastResult<{ readonly named: NamedVersion; readonly created: boolean }>> {
    const content = await this.content(document, named.version, signal);
    if (!content.ok) return content;
    const most = this.#options.namedVersions;
    const put = await this.#options.store.putName(document.id, named, content.value, most);
    if (put === 'gone') return { ok: false, code: 'not-found', message: 'there is no such document' };
    if (put === 'full')
      return { ok: false, code: 'too-large', message: `a document has at most ${most} named versions` };
    return { ok: true, value: put };
  }

  removeName(document: PastDocument, name: string): Promise<boolean> {
    return this.#options.store.removeName(document.id, name);
  }

  async #cached(
    what: string,
    document: PastDocument,
    job: JobOf,
    signal: AbortSignal,
  ): Promise<PastResult<Uint8Array>> {
    const key = `${document.history} ${document.id} ${what}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined) return { ok: true, value: cached };
    const outcome = await this.#shared.run(key, signal, (end) => this.#start(document, job, end));
    if (!outcome.ok) return outcome;
    this.#cache.set(key, outcome.bytes);
    return { ok: true, value: outcome.bytes };
  }

  #start(
    { id, seen, kind, history, folded }: PastDocument,
    job: JobOf,
    signal: AbortSignal,
  ): Promise<PastPoolOutcome> {
    const { pool, storage } = this.#options;
    return pool.run(
      { storage: storage(), job: { document: { id, seen }, kind, history, folded, ...job } },
      signal,
    );
  }
}

type JobOf = PastJob extends infer Job
  ? Job extends PastJob
    ? Omit<Job, 'document' | 'kind' | 'history' | 'folded'>
    : never
  : never;

const unknown = (version: number, head: number): PastFailure => ({
  ok: false,
  code: 'version-unknown',
  message: `version ${version} is above the head, ${head}`,
});
const tooOld = (message: string): PastFailure => ({ ok: false, code: 'version-too-old', message });

const patchOn = (base: number, outcome: PastPoolOutcome): PastResult<PatchFromPast> =>
  outcome.ok
    ? { ok: true, value: { base, op: outcome.bytes.length === 0 ? undefined : outcome.bytes } }
    : outcome;
