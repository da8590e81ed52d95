// One document as an actor: takes the messages of its links one by one, lets `Document` order and
// apply, and tells the links what came of it once it is durable. Synchronous and without I/O: what it
// needs from outside it asks of `ActorEffects`, whose answers come back as calls.
//
// Modes: cold -> loading -> active -> cold; any -> dropped. Only `setMode` changes it. While it is
// loading its messages wait in the mailbox.
//
// Over 400 lines, because every message of a subscription's life is answered here.
import type { KindLimits } from '../../kinds/kind.ts';
import { type ErrorCode, FINAL_SUBMIT_CODES } from '../../protocol/errors.ts';
import type { KindName } from '../../protocol/messages.ts';
import {
  ACK,
  CLOSE,
  CLOSED,
  COMMIT,
  JSON_FRAMES,
  LOST,
  MSGPACK_FRAMES,
  OPEN,
  OPEN_FAILED,
  OPENED,
  type OpenRequest,
  PRESENCE,
  PULL,
  REFUSED,
  RESET,
  STATES,
  SUBMIT,
  type ToGateway,
  type ToOwner,
} from '../link-messages.ts';
import { Mailbox, type MailboxLimits } from '../mailbox.ts';
import type { LoadedDocument, StoredDelta } from '../storage/store.ts';
import type { Document, Submission } from './document.ts';
import { type AnyKind, type Entry, fromStored } from './entry.ts';
import { commitFrame, type OpenedHead, openedSince, openedSnapshot } from './frames.ts';
import { Gate } from './gate.ts';
import { type Subscriber, Subscribers } from './subscribers.ts';

export interface ActorLimits extends KindLimits {
  /** Largest frame a client must take; frames of many patches stay well below it. */
  readonly receiveBytes: number;
  /** Patches kept in memory once durable, for transforming and for resuming. */
  readonly residentOps: number;
  /** Patches fetched at once to transform one submit past them. */
  readonly historyOps: number;
  readonly mailbox: MailboxLimits;
  /** A snapshot is due when the log since the last exceeds max(minBytes, ratio x snapshot). */
  readonly snapshotMinBytes: number;
  readonly snapshotRatio: number;
}

export type LoadResult =
  | {
      readonly type: 'loaded';
      readonly document: Document;
      readonly loaded: LoadedDocument;
    }
  | { readonly type: 'missing' }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string };

/** What an actor asks of its host. Answers come by the callback, later, never from within the call; a dropped actor ignores them. */
export interface ActorEffects {
  send(link: number, message: ToGateway): void;
  /** Log a patch. The host calls `durableTo`, or resets the actor. False: too much is waiting for the store. */
  readonly full: boolean;
  append(actor: DocumentActor, entry: Entry, user: string, stored: Uint8Array): void;
  /** `create`: as this kind, where it does not exist. */
  load(actor: DocumentActor, create: KindName | undefined, done: (result: LoadResult) => void): void;
  /** undefined: out of reach. */
  history(
    actor: DocumentActor,
    after: number,
    upTo: number,
    maxBytes: number,
    done: (deltas: readonly StoredDelta[] | undefined) => void,
  ): void;
  clientSeqs(
    actor: DocumentActor,
    client: string,
    upTo: number,
    done: (found: { pairs: readonly (readonly [number, number])[]; lastSeq: number } | undefined) => void,
  ): void;
  /** 0: it did not commit; undefined: out of reach. */
  seqVersion(
    actor: DocumentActor,
    client: string,
    seq: number,
    done: (version: number | undefined) => void,
  ): void;
  /** Fold a snapshot at `version`, off this thread. `done` tells the version that the store now has, undefined: none was made. */
  fold(actor: DocumentActor, version: number, done: (bytes: number | undefined) => void): void;
  presenceChanged(actor: DocumentActor): void;
}

type Mode = 'cold' | 'loading' | 'active' | 'dropped';

/** Patches in one commit frame. */
const FRAME_OPS = 512;
/** Largest gathering of patches in one frame, of receiveBytes. */
const FRAME_SHARE = 1 / 16;
/** Messages of one subscriber that wait for an answer of the store: its submits in flight, and some. */
const WAITING_MESSAGES = 128;
/** Of receiveBytes: all presence of one document. */
const PRESENCE_SHARE = 1 / 8;
/** Changes of presence told at once; each who moved is told of all the others, so its cost is this squared. */
const PRESENCES_PER_TICK = 64;
/** Log since the last snapshot that is worth one when a document goes idle. */
const IDLE_SNAPSHOT_BYTES = 4096;

const FINAL: ReadonlySet<string> = new Set(FINAL_SUBMIT_CODES);

export class DocumentActor {
  readonly name: string;
  private readonly effects: ActorEffects;
  private readonly limits: ActorLimits;
  private mode: Mode = 'cold';
  private readonly mailbox: Mailbox<{ link: number; message: ToOwner }>;
  private readonly subscribers = new Subscribers();
  /** client -> JSON text. */
  private readonly presence = new Map<string, string>();
  private presenceSize = 0;
  private readonly changedPresence = new Set<string>();
  /** Told while somebody was on the way to joining: told again when all have joined. */
  private readonly unseenPresence = new Set<string>();
  private document: Document | undefined;
  private gate = new Gate(0);
  /** Fetches under way that need the window to stay where it is. */
  private pins = 0;
  private snapshotVersion = 0;
  private bytesSinceSnapshot = 0;
  private folding = false;
  /** Stays when the document leaves memory. */
  private knownId: number | undefined;
  /** Set by the host, its clock in ms: when a message came last. */
  lastUsed = 0;
  /** Kept by the host: the channels that lead here. */
  channels: { readonly link: number; readonly chan: number }[] = [];

  constructor(name: string, effects: ActorEffects, limits: ActorLimits) {
    this.name = name;
    this.effects = effects;
    this.limits = limits;
    this.mailbox = new Mailbox(limits.mailbox);
  }

  /** The document's id once it is loaded. */
  get id(): number | undefined {
    return this.knownId;
  }

  get kindName(): KindName | undefined {
    return this.document?.kind.name;
  }

  /** Approximate bytes in memory. */
  get bytes(): number {
    return 512 + 256 * this.subscribers.size + (this.document?.bytes ?? 0);
  }

  get isResident(): boolean {
    return this.document !== undefined;
  }

  /** Nothing is under way: its memory may go. */
  get isQuiet(): boolean {
    return (
      this.mode === 'cold' ||
      (this.mode === 'active' &&
        this.gate.isEmpty &&
        !this.folding &&
        this.pins === 0 &&
        this.mailbox.isEmpty)
    );
  }

  get hasSubscribers(): boolean {
    return this.subscribers.size > 0;
  }

  /** Nobody has it open over this link, and nobody is about to. */
  isAbandonedBy(link: number): boolean {
    return this.mode === 'active' && this.mailbox.isEmpty && !this.subscribers.links.has(link);
  }

  handle(link: number, message: ToOwner): void {
    if (this.mode === 'dropped') return;
    if (this.mode === 'active' && this.mailbox.isEmpty) {
      this.process(link, message);
      return;
    }
    if (this.mode === 'cold' && message[0] === CLOSE) {
      this.leaveBy(link, message);
      return;
    }
    // Closing takes no room: it frees some.
    if (!this.mailbox.put({ link, message }, sizeOf(message), message[0] === CLOSE)) {
      this.refuse(link, message, 'overloaded', 'too much waits for this document');
    }
    if (this.mode === 'cold') this.load();
  }

  /** A link is gone, and all its subscribers with it. */
  linkLost(link: number): void {
    this.mailbox.removeWhere((item) => item.link === link);
    for (const subscriber of [...(this.subscribers.links.get(link)?.subs.values() ?? [])])
      this.leave(subscriber);
  }

  /** Patches up to `version` are durable. */
  durableTo(version: number): void {
    const { document } = this;
    if (document === undefined) return;
    document.durable = version;
    this.gate.release(version, (run) => this.broadcast(document, run));
    if (this.pins === 0 && version - document.windowStart > 2 * this.limits.residentOps) {
      document.trim(this.limits.residentOps);
    }
    this.foldWhenDue(
      document,
      Math.max(this.limits.snapshotMinBytes, this.limits.snapshotRatio * document.snapshotBytes),
    );
  }

  /** A patch that the store can never hold: its author is told, the rest starts over from the log. */
  refusedByStore(entries: readonly Pick<Entry, 'client' | 'seq'>[]): void {
    for (const entry of entries) {
      const author = this.subscribers.ofClient(entry.client);
      if (author !== undefined) {
        this.toLink(author, [
          REFUSED,
          author.link.chan,
          author.sub,
          entry.seq,
          'bad-op',
          'the store cannot hold it',
        ]);
      }
    }
    this.reset();
  }

  /** Drops what is in memory, durable or not; gateways open again and send again what is unanswered. */
  reset(): void {
    for (const group of [...this.subscribers.links.values()]) {
      this.effects.send(group.link, [RESET, group.chan]);
      for (const subscriber of [...group.subs.values()]) this.subscribers.remove(subscriber);
    }
    for (const { link, message } of this.mailbox.clear()) {
      if (message[0] === OPEN || message[0] === SUBMIT) {
        this.refuse(link, message, 'unavailable', 'the document starts over');
      }
    }
    this.presence.clear();
    this.presenceSize = 0;
    this.changedPresence.clear();
    this.unseenPresence.clear();
    this.unload();
  }

  /** Frees the document's memory; subscribers stay, the next message loads it again. Call when quiet. */
  unload(): void {
    this.document = undefined;
    this.gate = new Gate(0);
    this.folding = false;
    this.pins = 0;
    this.setMode('cold');
  }

  drop(): void {
    this.unload();
    this.setMode('dropped');
  }

  /** Before it is unloaded: true where a snapshot was asked for, whose end frees it. */
  foldWhenIdle(): boolean {
    if (this.document !== undefined) this.foldWhenDue(this.document, IDLE_SNAPSHOT_BYTES);
    return this.folding;
  }

  flushPresence(): void {
    const states: (string | null)[] = [];
    if (this.subscribers.someAreJoining)
      for (const client of this.changedPresence) this.unseenPresence.add(client);
    for (const client of this.changedPresence) {
      if (states.length >= 2 * PRESENCES_PER_TICK) break;
      states.push(client, this.presence.get(client) ?? null);
      this.changedPresence.delete(client);
    }
    if (this.changedPresence.size > 0) this.effects.presenceChanged(this);
    for (const group of this.subscribers.links.values())
      this.effects.send(group.link, [STATES, group.chan, states]);
  }

  private setMode(mode: Mode): void {
    if (this.mode !== 'dropped') this.mode = mode;
  }

  // Loading

  private load(): void {
    this.setMode('loading');
    const first = this.mailbox.find((item) => item.message[0] === OPEN)?.message;
    const create = first?.[0] === OPEN ? first[3].kind : undefined;
    this.effects.load(this, create, (result) => {
      if (this.mode !== 'loading') return;
      this.loaded(result);
    });
  }

  private loaded(result: LoadResult): void {
    if (result.type === 'loaded') {
      const { document, loaded } = result;
      this.document = document;
      this.knownId = document.id;
      this.gate = new Gate(document.durable);
      this.snapshotVersion = loaded.snapshotVersion;
      this.bytesSinceSnapshot = loaded.deltas.reduce((bytes, delta) => bytes + delta.op.length, 0);
      this.setMode('active');
      for (let item = this.mailbox.take(); item !== undefined; item = this.mailbox.take()) {
        this.process(item.link, item.message);
        if (this.document !== document) return;
      }
      return;
    }
    const [code, message]: [ErrorCode, string] =
      result.type === 'missing' ? ['not-found', 'there is no such document'] : [result.code, result.message];
    this.setMode('cold');
    let next: { link: number; message: ToOwner } | undefined;
    for (const item of this.mailbox.clear()) {
      // Somebody else may create what the first one only asked for.
      const creates = item.message[0] === OPEN && item.message[3].kind !== undefined;
      if (result.type === 'missing' && creates && next === undefined) next = item;
      else if (next !== undefined) this.mailbox.put(item, 0, true);
      else this.refuse(item.link, item.message, code, message);
    }
    if (next !== undefined) {
      this.mailbox.putFirst(next);
      this.load();
    }
  }

  // Messages

  private process(link: number, message: ToOwner): void {
    const { document } = this;
    if (document === undefined) throw new Error('a message for a document that is not loaded');
    // Opened again: behind what the socket sent before.
    const number = message[0] === OPEN ? message[3].replaces : message[2];
    const subscriber = number === undefined ? undefined : this.subscribers.find(link, number);
    if (message[0] === OPEN && subscriber?.waiting === undefined) {
      this.open(document, link, message[1], message[2], message[3]);
      return;
    }
    if (subscriber === undefined) {
      if (message[0] === SUBMIT) this.refuse(link, message, 'not-open', 'this document is not open');
      return;
    }
    if (message[0] === CLOSE) {
      this.leave(subscriber);
      return;
    }
    if (subscriber.waiting !== undefined) {
      if (subscriber.waiting.length < WAITING_MESSAGES) subscriber.waiting.push(message);
      else this.refuse(link, message, 'overloaded', 'too much of this client waits');
      return;
    }
    this.take(document, subscriber, message);
  }

  private take(document: Document, subscriber: Subscriber, message: ToOwner): void {
    switch (message[0]) {
      case SUBMIT: {
        const [, , , seq, base, op] = message;
        // The document has left memory since it was opened.
        if (document.needsRecall(subscriber.client)) {
          this.recall(document, subscriber, (known) => {
            if (known) this.take(document, subscriber, message);
            else this.answer(subscriber, seq, 'unavailable', 'the store is out of reach');
          });
          return;
        }
        this.submit(
          document,
          subscriber,
          { client: subscriber.client, user: subscriber.user, seq, base, op },
          [],
        );
        return;
      }
      case PRESENCE: {
        const data = message[3];
        this.setPresence(subscriber.client, data);
        return;
      }
      case PULL:
        // Of a subscription that has been opened again since: the new one pulls for itself.
        if (message[2] === subscriber.sub) this.bringOn(document, subscriber);
        return;
      case OPEN:
        this.open(document, subscriber.link.link, message[1], message[2], message[3]);
        return;
      case CLOSE:
        return;
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  }

  /** Every message that waits for something is answered; a close that cannot be taken is carried out. */
  private refuse(link: number, message: ToOwner, code: ErrorCode, text: string): void {
    switch (message[0]) {
      case OPEN:
        this.effects.send(link, [OPEN_FAILED, message[1], message[2], code, text]);
        return;
      case SUBMIT:
        this.effects.send(link, [REFUSED, message[1], message[2], message[3], submitCode(code), text]);
        return;
      case PULL:
        this.effects.send(link, [LOST, message[1], message[2]]);
        this.leaveBy(link, message);
        return;
      case CLOSE:
        this.leaveBy(link, message);
        return;
      case PRESENCE:
        return;
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  }

  private leaveBy(
    link: number,
    message: ToOwner & readonly [tag: number, chan: number, sub: number, ...unknown[]],
  ): void {
    const subscriber = this.subscribers.find(link, message[2]);
    if (subscriber !== undefined) this.leave(subscriber);
  }

  /** Runs `step` when the store has answered; the subscriber's later messages wait meanwhile. */
  private await(subscriber: Subscriber, ask: (answered: (step: () => void) => void) => void): void {
    const { document } = this;
    const waiting: ToOwner[] = subscriber.waiting ?? [];
    subscriber.waiting = waiting;
    this.pins++;
    ask((step) => {
      if (this.document !== document || document === undefined) return;
      this.pins--;
      if (subscriber.gone) return;
      subscriber.waiting = undefined;
      step();
      while (waiting.length > 0 && subscriber.waiting === undefined && !subscriber.gone) {
        const message = waiting.shift();
        if (message !== undefined) this.take(document, subscriber, message);
      }
      // Asked again: what is left goes on waiting, in its order.
      const again = subscriber.waiting as ToOwner[] | undefined;
      if (again !== undefined && again !== waiting) again.push(...waiting);
    });
  }

  // Opening and catching up

  private open(document: Document, link: number, chan: number, sub: number, request: OpenRequest): void {
    if (request.kind !== undefined && request.kind !== document.kind.name) {
      this.effects.send(link, [
        OPEN_FAILED,
        chan,
        sub,
        'wrong-kind',
        `this document is of kind ${document.kind.name}`,
      ]);
      return;
    }
    const subscriber = this.subscribe(link, chan, sub, request);
    if (!document.needsRecall(subscriber.client)) {
      this.greet(document, subscriber);
      return;
    }
    this.recall(document, subscriber, (known) => {
      if (known) this.greet(document, subscriber);
      else this.fail(subscriber, 'unavailable', 'the store is out of reach');
    });
  }

  private subscribe(link: number, chan: number, sub: number, request: OpenRequest): Subscriber {
    const { replaces } = request;
    const before = replaces === undefined ? undefined : this.subscribers.find(link, replaces);
    if (replaces !== undefined && before !== undefined) {
      this.subscribers.renew(before, replaces, sub, request);
      return before;
    }
    const { added, replaced } = this.subscribers.add(link, chan, sub, request);
    if (replaced !== undefined && (replaced.link.link !== link || replaced.sub !== sub)) {
      this.toLink(replaced, [CLOSED, replaced.link.chan, replaced.sub, 'replaced']);
    }
    return added;
  }

  /** Brings what the store knows of this client's seqs to memory: without it a patch sent again would be taken for new. */
  private recall(document: Document, subscriber: Subscriber, then: (known: boolean) => void): void {
    this.await(subscriber, (answered) =>
      this.effects.clientSeqs(this, subscriber.client, document.durable, (found) =>
        answered(() => {
          if (found !== undefined) document.memory(subscriber.client).recall(found.pairs);
          then(found !== undefined);
        }),
      ),
    );
  }

  private greet(document: Document, subscriber: Subscriber): void {
    const since = subscriber.request?.since;
    const history = subscriber.request?.history;
    const known = since !== undefined && history === historyOf(document.id) && since <= document.head;
    if (known) {
      subscriber.at = since;
      this.bringOn(document, subscriber, since);
    } else this.greetWithSnapshot(document, subscriber);
  }

  private greetWithSnapshot(document: Document, subscriber: Subscriber): void {
    if (subscriber.request?.resume) {
      this.lose(subscriber);
      return;
    }
    const version = document.head;
    const lastSeq = document.lastSeqAt(subscriber.client, version) ?? null;
    const head = this.openedHead(document, subscriber, version, lastSeq);
    // Made when it may leave: what waits at the gate is one shared snapshot, not one for each who opens.
    const snapshot = document.snapshot();
    this.join(document, subscriber, () => [openedSnapshot(subscriber.codec, head, snapshot)], version, []);
  }

  /** The next patches after what the subscriber has; `opening`: they come in its `opened`, which starts at that version. */
  private bringOn(document: Document, subscriber: Subscriber, opening?: number): void {
    const after = subscriber.at;
    if (after + 1 >= document.windowStart) {
      const run = document.slice(after, document.head);
      const bytes = run.reduce((sum, entry) => sum + entry.size, 0);
      if (bytes <= this.frameBytes) {
        const frames = this.catchUpFrames(document, subscriber, run, document.head, opening);
        this.joinWith(document, subscriber, frames, document.head, run, opening);
        return;
      }
      const fitting = takeFitting(run, this.frameBytes, document.durable);
      if (fitting.length > 0) this.chunk(document, subscriber, fitting, opening);
      else {
        this.gate.hold(document.head, () => {
          if (!subscriber.gone) this.bringOn(document, subscriber, opening);
        });
      }
      return;
    }
    this.await(subscriber, (answered) =>
      this.effects.history(this, after, document.durable, this.frameBytes, (deltas) =>
        answered(() => this.fetched(document, subscriber, after, deltas, opening)),
      ),
    );
  }

  private fetched(
    document: Document,
    subscriber: Subscriber,
    after: number,
    deltas: readonly StoredDelta[] | undefined,
    opening: number | undefined,
  ): void {
    if (deltas === undefined) {
      if (opening === undefined) this.lose(subscriber);
      else this.fail(subscriber, 'unavailable', 'the store is out of reach');
      return;
    }
    // Folded away since: the snapshot, where it is not too late for one.
    if (deltas[0]?.version !== after + 1) {
      if (opening === undefined) this.lose(subscriber);
      else this.greetWithSnapshot(document, subscriber);
      return;
    }
    this.chunk(
      document,
      subscriber,
      deltas.map((delta) => entryOf(document.kind, delta)),
      opening,
    );
  }

  /** Durable patches that are not all: the gateway pulls when the socket has taken them. */
  private chunk(
    document: Document,
    subscriber: Subscriber,
    run: readonly Entry[],
    opening: number | undefined,
  ): void {
    const version = run.at(-1)?.version ?? subscriber.at;
    subscriber.at = version;
    subscriber.heldAcks ??= [];
    const frames = this.catchUpFrames(document, subscriber, run, version, opening);
    const send = (head: readonly Uint8Array[]): void =>
      this.sendOpened(document, subscriber, subscriber.sub, head, version, run, false);
    if (frames !== undefined) send(frames);
    else
      this.withLastSeq(subscriber, version, (lastSeq) => {
        // Its pairs of so long ago are forgotten: then its highest of all, never 0 for one that has committed.
        const known = lastSeq || (document.lastSeqAt(subscriber.client, document.durable) ?? null);
        const head = this.openedHead(document, subscriber, version, known);
        send([openedSince(subscriber.codec, document.kind, head, opening ?? 0, run)]);
      });
  }

  /** undefined: which seq of the client was its last at that version only the log knows. */
  private catchUpFrames(
    document: Document,
    subscriber: Subscriber,
    run: readonly Entry[],
    version: number,
    opening: number | undefined,
  ): readonly Uint8Array[] | undefined {
    const { codec } = subscriber;
    if (opening === undefined || subscriber.request?.resume) {
      return run.length === 0 ? [] : [commitFrame(codec, document.kind, this.name, version, run)];
    }
    const own = run.findLast((entry) => entry.client === subscriber.client);
    const lastSeq = own?.seq ?? document.lastSeqAt(subscriber.client, version);
    if (lastSeq === undefined) return undefined;
    const head = this.openedHead(document, subscriber, version, lastSeq);
    return [openedSince(codec, document.kind, head, opening, run)];
  }

  private withLastSeq(subscriber: Subscriber, version: number, then: (lastSeq: number | null) => void): void {
    this.await(subscriber, (answered) =>
      this.effects.clientSeqs(this, subscriber.client, version, (found) =>
        answered(() => then(found?.lastSeq ?? null)),
      ),
    );
  }

  private joinWith(
    document: Document,
    subscriber: Subscriber,
    frames: readonly Uint8Array[] | undefined,
    version: number,
    run: readonly Entry[],
    opening: number | undefined,
  ): void {
    if (frames !== undefined) {
      this.join(document, subscriber, () => frames, version, run);
      return;
    }
    // A head that only memory knows has its client's latest seqs in memory.
    const head = this.openedHead(document, subscriber, version, null);
    this.join(
      document,
      subscriber,
      () => [openedSince(subscriber.codec, document.kind, head, opening ?? 0, run)],
      version,
      run,
    );
  }

  /** From here on it takes the channel's commits; told when all that the frames show is durable. */
  private join(
    document: Document,
    subscriber: Subscriber,
    frames: () => readonly Uint8Array[],
    version: number,
    run: readonly Entry[],
  ): void {
    const { sub } = subscriber;
    this.gate.hold(version, () => {
      if (subscriber.gone) return;
      this.subscribers.join(subscriber);
      // Kept as long as it is being answered: thousands may have the document open.
      if (subscriber.sub === sub) subscriber.request = undefined;
      this.sendOpened(document, subscriber, sub, frames(), version, run, true);
      this.afterJoining(document, subscriber);
    });
  }

  /** What could not be told while it was on its way. */
  private afterJoining(document: Document, subscriber: Subscriber): void {
    const acks = subscriber.heldAcks ?? [];
    subscriber.heldAcks = undefined;
    for (const [seq, version] of acks) this.acknowledge(document, subscriber, seq, version);
    for (const client of this.unseenPresence) this.markPresence(client);
    if (!this.subscribers.someAreJoining) this.unseenPresence.clear();
  }

  private sendOpened(
    document: Document,
    subscriber: Subscriber,
    sub: number,
    frames: readonly Uint8Array[],
    version: number,
    run: readonly Entry[],
    complete: boolean,
  ): void {
    const seqs = run.filter((entry) => entry.client === subscriber.client).map((entry) => entry.seq);
    this.toLink(subscriber, [
      OPENED,
      subscriber.link.chan,
      sub,
      frames,
      version,
      historyOf(document.id),
      seqs,
      complete,
    ]);
  }

  private openedHead(
    document: Document,
    subscriber: Subscriber,
    version: number,
    lastSeq: number | null,
  ): OpenedHead {
    return {
      doc: this.name,
      kind: document.kind.name,
      history: historyOf(document.id),
      version,
      role: subscriber.role,
      lastSeq,
      presence: this.presence,
      client: subscriber.client,
      id: subscriber.request?.id,
    };
  }

  private fail(subscriber: Subscriber, code: ErrorCode, message: string): void {
    // The one that it was to replace has ended in it.
    if (subscriber.formerSubs.length > 0) {
      this.lose(subscriber);
      return;
    }
    this.toLink(subscriber, [OPEN_FAILED, subscriber.link.chan, subscriber.sub, code, message]);
    this.leave(subscriber);
  }

  private lose(subscriber: Subscriber): void {
    this.toLink(subscriber, [LOST, subscriber.link.chan, subscriber.sub]);
    this.leave(subscriber);
  }

  private leave(subscriber: Subscriber): void {
    const { client } = subscriber;
    this.subscribers.remove(subscriber);
    if (this.subscribers.ofClient(client) === undefined && this.presence.has(client))
      this.setPresence(client, null);
  }

  /** Best effort: past its share of a frame a document takes no more of it, for `opened` carries all. */
  private setPresence(client: string, data: string | null): void {
    const before = this.presence.get(client)?.length ?? 0;
    const size = this.presenceSize + (data?.length ?? 0) - before;
    if (data !== null && size > this.limits.receiveBytes * PRESENCE_SHARE) return;
    if (data === null) this.presence.delete(client);
    else this.presence.set(client, data);
    this.presenceSize = size;
    this.markPresence(client);
  }

  private markPresence(client: string): void {
    this.changedPresence.add(client);
    if (this.changedPresence.size === 1) this.effects.presenceChanged(this);
  }

  // Submitting

  private submit(
    document: Document,
    subscriber: Subscriber,
    submission: Submission,
    older: readonly unknown[],
  ): void {
    if (this.effects.full) {
      this.answer(subscriber, submission.seq, 'overloaded', 'too much is waiting for the store');
      return;
    }
    const submitted = document.submit(submission, older);
    switch (submitted.type) {
      case 'committed':
        this.gate.commit(submitted.entry);
        this.bytesSinceSnapshot += submitted.entry.size;
        this.effects.append(this, submitted.entry, submission.user, submitted.stored);
        return;
      case 'duplicate':
        this.acknowledge(document, subscriber, submission.seq, submitted.version);
        return;
      case 'rejected':
        this.gate.hold(document.head, () =>
          this.answer(subscriber, submission.seq, submitted.code, submitted.message),
        );
        return;
      case 'needs-history':
        this.fetchHistory(document, subscriber, submission, submitted.after, submitted.upTo, []);
        return;
      case 'needs-log':
        this.lookUpSeq(document, subscriber, submission.seq);
        return;
      default:
        throw new Error(submitted satisfies never);
    }
  }

  private acknowledge(document: Document, subscriber: Subscriber, seq: number, version: number): void {
    // Who is being caught up has not had that version yet.
    if (subscriber.heldAcks !== undefined) {
      if (subscriber.heldAcks.length < WAITING_MESSAGES) subscriber.heldAcks.push([seq, version]);
      else this.answer(subscriber, seq, 'overloaded', 'too much of this client waits');
      return;
    }
    // A held ack saw the head: it comes after the commit that carries its version.
    this.gate.hold(Math.max(version, document.durable), () => {
      if (!subscriber.gone)
        this.toLink(subscriber, [ACK, subscriber.link.chan, subscriber.sub, seq, version]);
    });
  }

  private answer(subscriber: Subscriber, seq: number, code: ErrorCode, message: string): void {
    if (!subscriber.gone)
      this.toLink(subscriber, [REFUSED, subscriber.link.chan, subscriber.sub, seq, code, message]);
  }

  private fetchHistory(
    document: Document,
    subscriber: Subscriber,
    submission: Submission,
    after: number,
    upTo: number,
    got: readonly unknown[],
  ): void {
    if (upTo - after > this.limits.historyOps * HISTORY_SLACK) {
      this.answer(subscriber, submission.seq, 'version-too-old', 'base is before the kept history');
      return;
    }
    this.await(subscriber, (answered) =>
      this.effects.history(this, after, upTo, this.limits.receiveBytes, (deltas) =>
        answered(() => {
          const last = deltas?.at(-1);
          if (deltas === undefined) {
            this.answer(subscriber, submission.seq, 'unavailable', 'the store is out of reach');
          } else if (last === undefined || deltas[0]?.version !== after + 1) {
            this.answer(subscriber, submission.seq, 'version-too-old', 'base is before the kept history');
          } else {
            const older = [...got, ...deltas.map((delta) => fromStored(document.kind, delta.op).op)];
            if (last.version < upTo)
              this.fetchHistory(document, subscriber, submission, last.version, upTo, older);
            else this.submit(document, subscriber, submission, older);
          }
        }),
      ),
    );
  }

  private lookUpSeq(document: Document, subscriber: Subscriber, seq: number): void {
    this.await(subscriber, (answered) =>
      this.effects.seqVersion(this, subscriber.client, seq, (version) =>
        answered(() => {
          if (version === undefined) this.answer(subscriber, seq, 'unavailable', 'the store is out of reach');
          else if (version === 0) this.answer(subscriber, seq, 'seq-used', 'a higher seq has committed');
          else this.acknowledge(document, subscriber, seq, version);
        }),
      ),
    );
  }

  // Telling the links

  private get frameBytes(): number {
    return this.limits.receiveBytes * FRAME_SHARE;
  }

  private broadcast(document: Document, run: readonly Entry[]): void {
    if (
      run.length > 1 &&
      (run.length > FRAME_OPS || run.reduce((sum, entry) => sum + entry.size, 0) > this.frameBytes)
    ) {
      const half = run.length >> 1;
      this.broadcast(document, run.slice(0, half));
      this.broadcast(document, run.slice(half));
      return;
    }
    const version = run.at(-1)?.version ?? 0;
    let json: Uint8Array | undefined;
    let msgpack: Uint8Array | undefined;
    for (const group of this.subscribers.links.values()) {
      if (group.json + group.msgpack === 0) continue;
      if (group.json > 0) json ??= commitFrame(JSON_FRAMES, document.kind, this.name, version, run);
      if (group.msgpack > 0) msgpack ??= commitFrame(MSGPACK_FRAMES, document.kind, this.name, version, run);
      const acks: number[] = [];
      for (const entry of run) {
        const author = this.subscribers.ofClient(entry.client);
        if (author?.joined && author.link === group) acks.push(author.sub, entry.seq);
      }
      this.effects.send(group.link, [
        COMMIT,
        group.chan,
        version,
        group.json > 0 ? (json ?? null) : null,
        group.msgpack > 0 ? (msgpack ?? null) : null,
        acks,
      ]);
    }
  }

  private toLink(subscriber: Subscriber, message: ToGateway): void {
    this.effects.send(subscriber.link.link, message);
  }

  // Snapshots

  private foldWhenDue(document: Document, due: number): void {
    if (this.folding || this.bytesSinceSnapshot <= due || document.durable <= this.snapshotVersion) return;
    const version = document.durable;
    const counted = this.bytesSinceSnapshot;
    this.folding = true;
    this.effects.fold(this, version, (bytes) => {
      if (this.document !== document) return;
      this.folding = false;
      if (bytes !== undefined) this.snapshotVersion = version;
      // A failed one is tried again after as much again.
      this.bytesSinceSnapshot -= counted;
    });
  }
}

/** A submit's base may reach back this many times historyOps before it is told to rebase: historyMs may promise more than historyOps. */
const HISTORY_SLACK = 10;

/** On the wire: the id of one life of a document. */
export const historyOf = (id: number): string => id.toString(36);

/** A submit ends in one of the submit codes, whatever became of its document. */
function submitCode(code: ErrorCode): ErrorCode {
  if (code === 'not-found') return 'not-open';
  return code === 'internal' ? 'unavailable' : code;
}

export const isFinal = (code: ErrorCode): boolean => FINAL.has(code);

function sizeOf(message: ToOwner): number {
  if (message[0] === SUBMIT) return 64 + message[5].length;
  return message[0] === PRESENCE ? 64 + (message[3]?.length ?? 0) : 256;
}

function entryOf(kind: AnyKind, delta: StoredDelta): Entry {
  const { op, text } = fromStored(kind, delta.op);
  return { version: delta.version, client: delta.client, seq: delta.seq, op, text, size: delta.op.length };
}

/** As many durable patches from the start as fit, at least one. */
function takeFitting(run: readonly Entry[], bytes: number, durable: number): readonly Entry[] {
  let sum = 0;
  let count = 0;
  for (const entry of run) {
    sum += entry.size;
    if (entry.version > durable || (count > 0 && sum > bytes)) break;
    count++;
  }
  return run.slice(0, count);
}
