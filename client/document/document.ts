// The common part of documents of every kind: events, readiness, presence, and the session behind them. Never
// touches the content; subclasses own it.
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Json, KindName, Role } from '../../protocol/messages.ts';
import type { DocumentEvents, DocumentState, SharedDocument } from '../api.ts';
import { Emitter } from '../emitter.ts';
import { TroupeError } from '../errors.ts';
import type { Platform } from '../platform.ts';
import { DocumentSync } from './document-sync.ts';
import { PresenceChannel } from './presence.ts';
import type { Replica } from './replica.ts';
import { Saving } from './saving.ts';
import type { SessionHost } from './session-host.ts';

/** The services that a document gets from its client. */
export interface DocumentHost extends SessionHost {
  readonly pendingBytes: number;
  takePresence(): number;
  /** Removes the document, which is over; its name may be opened anew. */
  forget(name: string): void;
  /**
   * Why the client is not connected, as text for a person. Undefined if it is connected, or if no reason is
   * known.
   */
  whyNot(): string | undefined;
}

/** The side of a document that its client drives. */
export interface Driven {
  readonly session: Pick<
    DocumentSync<unknown>,
    'up' | 'down' | 'receive' | 'refresh' | 'close' | 'awaitedBytes'
  >;
}

/** A document of a client, which its holders share (hold.ts). */
export abstract class DocumentBase<Change, Patch>
  implements Omit<SharedDocument<Change, Patch>, 'close'>, Driven
{
  readonly name: string;
  abstract readonly kind: KindName;
  readonly ready: Promise<void>;
  readonly presence: PresenceChannel;
  readonly session: DocumentSync<Patch>;
  protected readonly host: DocumentHost;
  protected readonly events = new Emitter<DocumentEvents<Change, Patch>>();
  readonly #replica: Replica<Patch>;
  readonly #saving = new Saving();
  /**
   * Why edits that were pending at the end are lost. Undefined if there were none, or while the document
   * lives.
   */
  #unsaved: TroupeError | undefined;
  #holds = 0;
  #settleReady: { resolve: () => void; reject: (error: TroupeError) => void } | undefined;
  #history = { canUndo: false, canRedo: false };

  /** @param replica made by the subclass, so that its hooks can call this document */
  constructor(host: DocumentHost, name: string, kind: KindName, replica: Replica<Patch>) {
    this.name = name;
    this.host = host;
    this.#replica = replica;
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    // Without a waiter the rejection would be uncaught; events report it.
    this.ready.catch(() => {});
    this.presence = new PresenceChannel({
      platform: host.platform,
      doc: name,
      allowed: () => this.session.open && this.session.role !== 'viewer',
      presenceBytes: () => host.limits().presenceBytes,
      takePresence: () => host.takePresence(),
      send: (message) => host.send(message),
      outgoing: (own) => this.outgoingPresence(own),
    });
    this.session = new DocumentSync(name, kind, host, replica, {
      state: (state) => this.events.emit('state', state),
      role: (role) => {
        this.events.emit('role', role);
        this.presence.flush();
      },
      ready: () => this.#settleReady?.resolve(),
      opened: (others) => this.presence.opened(others),
      down: () => this.presence.down(),
      presence: (states) => this.presence.received(states),
      rejected: (rejection, edit) => {
        this.events.emit('rejected', rejection);
        this.#saving.lost(edit, rejection.error);
      },
      progress: () => this.progress(),
      error: (error) => this.events.emit('error', error),
      closed: (end, error, unsaved) => this.#closed(end, error, unsaved),
    });
  }

  get state(): DocumentState {
    return this.session.state;
  }
  get version(): number {
    return this.session.version;
  }
  get role(): Role | undefined {
    return this.session.role;
  }
  get pending(): boolean {
    return this.#replica.pending;
  }
  get loaded(): boolean {
    return this.#replica.loaded;
  }
  get platform(): Platform {
    return this.host.platform;
  }
  abstract get canUndo(): boolean;
  abstract get canRedo(): boolean;
  abstract undo(): boolean;
  abstract redo(): boolean;
  abstract undoGroup(): void;

  on<Name extends keyof DocumentEvents<Change, Patch>>(
    name: Name,
    listener: (event: DocumentEvents<Change, Patch>[Name]) => void,
  ): () => void {
    return this.events.on(name, listener);
  }

  /** Adds a holder. Returns the function that ends this hold and returns whether other holds remain. */
  hold(): () => boolean {
    this.#holds++;
    return () => {
      this.#holds--;
      return this.#holds > 0;
    };
  }

  whenSaved(): Promise<void> {
    if (this.session.closed)
      return this.#unsaved === undefined ? Promise.resolve() : Promise.reject(this.#unsaved);
    const saved = this.#saving.wait(this.#replica.edits);
    this.#saving.settled(this.#replica.oldestPending);
    return saved;
  }

  notReady(afterMs: number): TroupeError {
    const why = this.host.whyNot();
    const text = `${this.name} was not ready within ${afterMs} ms`;
    return new TroupeError('unavailable', why === undefined ? text : `${text}: ${why}`);
  }

  close(): void {
    this.session.close();
  }

  /** Edits may have been settled, and positions may have moved. */
  protected progress(): void {
    this.#saving.settled(this.#replica.oldestPending);
  }

  protected outgoingPresence(own: Json): Json {
    return own;
  }

  /** Throws if no edit may be made. */
  protected assertEditable(): void {
    const refuse = (code: ErrorCode, why: string) => {
      throw new TroupeError(code, `${this.name} ${why}`);
    };
    if (this.session.closed) refuse('not-open', 'is closed');
    if (!this.#replica.loaded) refuse('not-open', 'is not loaded yet: wait for ready');
    if (this.role === 'viewer' || this.role === 'commenter')
      refuse('forbidden', `is read-only for a ${this.role}`);
  }

  /** Emits `history` if it has changed. */
  protected refreshHistory(): void {
    const { canUndo, canRedo } = this;
    if (canUndo === this.#history.canUndo && canRedo === this.#history.canRedo) return;
    this.#history = { canUndo, canRedo };
    this.events.emit('history', this.#history);
  }

  /** Frees the resources of the content. */
  protected dispose(): void {}

  #closed(
    end: { code?: string; message?: string },
    error: TroupeError | undefined,
    unsaved: number | undefined,
  ): void {
    this.host.forget(this.name);
    this.#saving.settled(unsaved);
    if (unsaved !== undefined) {
      this.#unsaved = error ?? new TroupeError('not-open', `${this.name} was closed before it was saved`);
      this.#saving.lost(unsaved, this.#unsaved);
    }
    this.dispose();
    if (error !== undefined) this.events.emit('error', error);
    this.#settleReady?.reject(error ?? new TroupeError('not-open', `${this.name} was closed`));
    this.events.emit('closed', end);
  }
}
