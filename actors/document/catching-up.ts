// Brings a subscriber up to the head, where it joins the subscribers that take the commits. It does so by a
// snapshot, by the missing patches, or by chunks of them that the gateway pulls. It never shows a patch
// that is not durable, and leaves neither a gap nor a repeat.
// Over 400 lines because a subscriber comes to the head in four ways, which share how they end.
import type { ErrorCode } from '../../protocol/errors.ts';
import { OPENED, type OpenRequest } from '../link/link-messages.ts';
import { SHARED_BYTES } from '../link/snapshot-sender.ts';
import type { StoredDelta } from '../storage/store.ts';
import type { Audience } from './audience.ts';
import type { Document, RecentSnapshot, Unmerged } from './document.ts';
import type { DocumentEffects } from './effects.ts';
import type { EncodedSnapshot } from './encoded-snapshot.ts';
import { type Entry, entryOf } from './entry.ts';
import {
  aroundSnapshot,
  commitFrame,
  type OpenedHead,
  openedSince,
  openedSnapshot,
  presenceFrame,
} from './frames.ts';
import type { Gate } from './gate.ts';
import type { SubmitAnswers } from './submit-answers.ts';
import type { Subscriber } from './subscribers.ts';
import type { Waits } from './waits.ts';

type Frames = readonly Uint8Array[];

export interface CatchingUpParts {
  readonly document: Document;
  readonly gate: Gate;
  readonly audience: Audience;
  readonly effects: DocumentEffects;
  readonly waits: Waits;
  readonly answers: SubmitAnswers;
}

/** The frames of an `opened`. With `shared` the first two are parts of one frame around that snapshot. */
interface Told {
  readonly frames: Frames;
  readonly shared?: number | undefined;
  /** As in the `opened` frame among `frames`. Undefined if there is none, or if the seq is not known. */
  readonly lastSeq?: number | undefined;
}

export class CatchingUp {
  readonly #parts: CatchingUpParts;
  /** Callbacks of subscribers that wait for a snapshot to be packed. */
  readonly #waitForPack = new Map<EncodedSnapshot, ((isPacked: boolean) => void)[]>();
  /** Callbacks of subscribers that wait for the document to be merged. */
  #waitForMerge: ((recent: RecentSnapshot | undefined) => void)[] = [];

  constructor(parts: CatchingUpParts) {
    this.#parts = parts;
  }

  open(link: number, channelId: number, subscriptionId: number, request: OpenRequest): void {
    const { document, audience } = this.#parts;
    const { name } = document.kind;
    if (request.kind !== undefined && request.kind !== name) {
      audience.refuseOpen(link, channelId, subscriptionId, 'wrong-kind', `this document is of kind ${name}`);
      return;
    }
    const subscriber = audience.subscribe(link, channelId, subscriptionId, request);
    if (subscriber === undefined) return;
    if (!document.needsRecall(subscriber.client)) {
      this.#greet(subscriber);
      return;
    }
    this.#parts.waits.recall(subscriber, (known) => {
      if (known) this.#greet(subscriber);
      else audience.fail(subscriber, ...OUT_OF_REACH);
    });
  }

  /**
   * Sends the next patches after the subscriber's version. With `opening`, they go out in its `opened`,
   * which starts at that version.
   */
  bringOn(subscriber: Subscriber, opening?: number): void {
    const { document, gate, effects, audience } = this.#parts;
    const after = subscriber.at;
    if (after + 1 >= document.windowStart) {
      const run = document.slice(after, document.head);
      const bytes = run.reduce((sum, entry) => sum + entry.size, 0);
      if (bytes <= audience.frameBytes) {
        this.#joinAtHead(subscriber, run, opening);
        return;
      }
      const fitting = takeFitting(run, audience.frameBytes, document.durable);
      if (fitting.length > 0) this.#chunk(subscriber, fitting, opening);
      else {
        gate.hold(document.head, () => {
          if (!subscriber.gone) this.bringOn(subscriber, opening);
        });
      }
      return;
    }
    this.#parts.waits.await(subscriber, (answered) => {
      const hasRoom = effects.reserve(audience.frameBytes, (release) =>
        effects.history(after, document.durable, audience.frameBytes, (deltas) => {
          answered(() => this.#fetched(subscriber, after, deltas, opening));
          release();
        }),
      );
      if (hasRoom) return;
      answered(() => {
        if (opening === undefined) audience.lose(subscriber);
        else audience.fail(subscriber, 'overloaded', 'too many readers wait for history');
      });
    });
  }

  #greet(subscriber: Subscriber): void {
    const { document } = this.#parts;
    const since = subscriber.request?.since;
    if (since !== undefined && since <= document.head && subscriber.request?.history === document.history) {
      subscriber.at = since;
      this.bringOn(subscriber, since);
    } else this.#greetOnceLive(subscriber);
  }

  /**
   * Sends a snapshot once the session is known to live. A client without a state builds upon this snapshot
   * and numbers its patches from `lastSeq` on; a client with a later state may have it from a successor of
   * this session.
   */
  #greetOnceLive(subscriber: Subscriber): void {
    const { effects, audience } = this.#parts;
    this.#parts.waits.await(
      subscriber,
      (answered) =>
        effects.whenLive(
          () => answered(() => this.#greetWithSnapshot(subscriber)),
          () => answered(() => audience.fail(subscriber, ...OUT_OF_REACH)),
        ),
      'document',
    );
  }

  /** `merges`: further merges that the subscriber has waited for. */
  #greetWithSnapshot(subscriber: Subscriber, merges = 0): void {
    const { document, audience } = this.#parts;
    if (subscriber.request?.resume) {
      audience.lose(subscriber);
      return;
    }
    if (this.#greetWithRecent(subscriber)) return;
    const unmerged = document.unmerged();
    if (unmerged === undefined) this.#greetInPieces(subscriber);
    else
      this.#parts.waits.await(subscriber, (answered) =>
        this.#whenMerged(unmerged, (recent) =>
          answered(() => {
            if (recent === undefined) audience.fail(subscriber, ...UNREADABLE);
            else if (this.#isFarBehind(recent) && merges < MOST_MERGES)
              this.#greetWithSnapshot(subscriber, merges + 1);
            else this.#greetFrom(subscriber, recent);
          }),
        ),
      );
  }

  /**
   * Has the snapshot of a large document of many updates merged elsewhere, once for all waiting
   * subscribers. Each callback runs in a turn of its own, because the answer's frame holds the whole
   * document. Undefined: the merge failed.
   */
  #whenMerged(unmerged: Unmerged, then: (recent: RecentSnapshot | undefined) => void): void {
    this.#waitForMerge.push(then);
    if (this.#waitForMerge.length > 1) return;
    const { effects } = this.#parts;
    effects.merge(unmerged.updates, (bytes) => {
      const recent = bytes && unmerged.merged(bytes);
      const all = this.#waitForMerge;
      this.#waitForMerge = [];
      for (const each of all) effects.later(() => each(recent));
    });
  }

  #greetInPieces(subscriber: Subscriber): void {
    const { document } = this.#parts;
    this.#parts.waits.await(
      subscriber,
      (answered) =>
        this.#parts.waits.inPieces(document.snapshotPieces(), (snapshot) =>
          answered(() => this.#greetFrom(subscriber, snapshot)),
        ),
      'document',
    );
  }

  /** Sends a snapshot that was just made, and the patches since. */
  #greetFrom(subscriber: Subscriber, recent: RecentSnapshot): void {
    const { audience } = this.#parts;
    const { snapshot } = recent;
    const json = snapshot.unpacked(subscriber.codec);
    if (json === undefined) this.#greetShared(subscriber, recent);
    else
      this.#parts.waits.await(subscriber, (answered) =>
        this.#whenPacked(snapshot, json, (isPacked) =>
          answered(() => {
            if (isPacked) this.#greetShared(subscriber, recent);
            else audience.fail(subscriber, ...UNREADABLE);
          }),
        ),
      );
  }

  /**
   * Has the snapshot written as MessagePack elsewhere, once for all waiting subscribers. False: that
   * failed.
   */
  #whenPacked(snapshot: EncodedSnapshot, json: Uint8Array, then: (isPacked: boolean) => void): void {
    const waiting = this.#waitForPack.get(snapshot);
    if (waiting !== undefined) {
      waiting.push(then);
      return;
    }
    const all = [then];
    this.#waitForPack.set(snapshot, all);
    const { effects } = this.#parts;
    effects.pack(json, (packed) => {
      if (packed !== undefined) snapshot.adoptPacked(packed);
      this.#waitForPack.delete(snapshot);
      for (const each of all) effects.later(() => each(packed !== undefined));
    });
  }

  /**
   * Sends an encoded snapshot, and the patches since. A large snapshot goes over the subscriber's
   * link first, once for all subscribers behind that link, and the subscriber waits for that.
   */
  #greetShared(subscriber: Subscriber, recent: RecentSnapshot): void {
    const { effects, audience } = this.#parts;
    const { link } = subscriber.link;
    const greet = (): void => {
      // Patches of this client came after the snapshot, and memory does not know which came before it.
      if (!this.#greetBehind(subscriber, recent)) this.#greetAtHead(subscriber);
    };
    const bytes = recent.snapshot.in(subscriber.codec);
    if (bytes.length < SHARED_BYTES || effects.sharedNumber(link, bytes) !== undefined) {
      greet();
      return;
    }
    this.#parts.waits.await(subscriber, (answered) => {
      if (!effects.share(link, bytes, () => answered(greet)))
        answered(() => audience.fail(subscriber, 'overloaded', 'too many clients wait for snapshots'));
    });
  }

  #greetAtHead(subscriber: Subscriber): void {
    const { document } = this.#parts;
    this.#parts.waits.await(
      subscriber,
      (answered) =>
        this.#parts.waits.inPieces(document.snapshotPieces(), ({ version, snapshot }) =>
          answered(() => {
            const head = this.#openedHead(
              subscriber,
              version,
              document.lastSeqAt(subscriber.client, version) ?? null,
            );
            this.#join(subscriber, version, [], () => this.#showingSnapshot(subscriber, head, snapshot));
          }),
        ),
      'document',
    );
  }

  /**
   * Sends the last snapshot of a large document and the patches since, so that many clients that open it
   * during edits share the work. False if there is no such snapshot, or if the patches since exceed one
   * frame, or if memory does not know the client's last seq at that version.
   */
  #greetWithRecent(subscriber: Subscriber): boolean {
    const { document } = this.#parts;
    const recent = document.recentSnapshot();
    if (recent === undefined || this.#isFarBehind(recent)) return false;
    if (!this.#knowsLastSeq(subscriber, recent.version)) return false;
    this.#greetFrom(subscriber, recent);
    return true;
  }

  /** False if memory knows the client's last seq at the head, but not at `version`. */
  #knowsLastSeq({ client }: Subscriber, version: number): boolean {
    const { document } = this.#parts;
    // If memory knows nothing of the client, a snapshot of the head has no last seq for it either.
    return (
      document.lastSeqAt(client, version) !== undefined ||
      document.lastSeqAt(client, document.head) === undefined
    );
  }

  /** True if the patches since `version` exceed one frame, or are not all in memory. */
  #isFarBehind({ version }: RecentSnapshot): boolean {
    const { document, audience } = this.#parts;
    if (version + 1 < document.windowStart) return true;
    const bytes = document.slice(version, document.head).reduce((sum, entry) => sum + entry.size, 0);
    return bytes > audience.frameBytes;
  }

  /**
   * Sends `recent` and the patches since, in several frames if one does not hold them. False if those
   * patches are not all in memory, or if memory knows the client's last seq at the head only.
   */
  #greetBehind(subscriber: Subscriber, recent: RecentSnapshot): boolean {
    const { document, audience } = this.#parts;
    if (recent.version + 1 < document.windowStart) return false;
    if (!this.#knowsLastSeq(subscriber, recent.version)) return false;
    const lastSeq = document.lastSeqAt(subscriber.client, recent.version);
    const version = document.head;
    const run = document.slice(recent.version, version);
    const head = this.#openedHead(subscriber, recent.version, lastSeq ?? null);
    this.#join(subscriber, version, run, () => {
      const { frames: opened, ...told } = this.#showingSnapshot(subscriber, head, recent.snapshot);
      const frames = [...opened];
      for (let rest = run; rest.length > 0; ) {
        const fitting = takeFitting(rest, audience.frameBytes, version);
        frames.push(
          ...this.#commits(subscriber, recent.version + run.length - rest.length + fitting.length, fitting),
        );
        rest = rest.slice(fitting.length);
      }
      return { ...told, frames };
    });
    return true;
  }

  #fetched(
    subscriber: Subscriber,
    after: number,
    deltas: readonly StoredDelta[] | undefined,
    opening: number | undefined,
  ): void {
    const { audience } = this.#parts;
    if (deltas === undefined) {
      if (opening === undefined) audience.lose(subscriber);
      else audience.fail(subscriber, ...OUT_OF_REACH);
      return;
    }
    // The patches have been folded away since. The subscriber gets a snapshot if it has not received
    // patches yet.
    if (deltas[0]?.version !== after + 1) {
      if (opening === undefined) audience.lose(subscriber);
      else this.#greetOnceLive(subscriber);
      return;
    }
    this.#chunk(subscriber, deltas.map(entryOf), opening);
  }

  /**
   * Sends durable patches that end before the head. The gateway pulls the next ones when the socket has
   * taken these.
   */
  #chunk(subscriber: Subscriber, run: readonly Entry[], opening: number | undefined): void {
    const { document } = this.#parts;
    const version = run.at(-1)?.version ?? subscriber.at;
    subscriber.at = version;
    subscriber.heldAcks ??= [];
    const send = (told: Told): void =>
      this.#sendOpened(subscriber, subscriber.subscriptionId, told, version, run, false);
    if (!hasOpened(subscriber, opening)) {
      send({ frames: this.#commits(subscriber, version, run) });
      return;
    }
    const sendOpened = (lastSeq: number | null): void => {
      const head = this.#openedHead(subscriber, version, lastSeq);
      send(this.#showing(subscriber, head, openedSince(subscriber.codec, document.kind, head, opening, run)));
    };
    const lastSeq = this.#lastSeqIn(subscriber, version, run);
    if (lastSeq !== undefined) sendOpened(lastSeq);
    else
      this.#askLastSeq(subscriber, version, (found) =>
        // The store has dropped the client's pairs up to this version. The highest of all its seqs stands
        // in for them; it is never 0 for a client that has committed.
        sendOpened(found || (document.lastSeqAt(subscriber.client, document.durable) ?? null)),
      );
  }

  #joinAtHead(subscriber: Subscriber, run: readonly Entry[], opening: number | undefined): void {
    const { document } = this.#parts;
    const version = document.head;
    if (!hasOpened(subscriber, opening)) {
      this.#join(subscriber, version, run, () => ({ frames: this.#commits(subscriber, version, run) }));
      return;
    }
    // If only memory knows the head, memory has the client's latest seqs too.
    const head = this.#openedHead(subscriber, version, this.#lastSeqIn(subscriber, version, run) ?? null);
    this.#join(subscriber, version, run, () =>
      this.#showing(subscriber, head, openedSince(subscriber.codec, document.kind, head, opening, run)),
    );
  }

  /**
   * Lets the subscriber take the channel's commits from `version` on. `told` is called when all patches that
   * it shows are durable.
   */
  #join(subscriber: Subscriber, version: number, run: readonly Entry[], told: () => Told): void {
    const { gate, audience } = this.#parts;
    const { subscriptionId } = subscriber;
    gate.hold(version, () => {
      // The socket has opened the document again and has already been answered on that.
      if (subscriber.gone || subscriptionId < subscriber.answered) return;
      const { frames, ...rest } = told();
      const missed = audience.presence.caughtUp(subscriber.client);
      if (missed === undefined) {
        audience.lose(subscriber);
        return;
      }
      audience.subscribers.join(subscriber);
      // The request is dropped once it has been answered, since thousands of sockets may have the document
      // open.
      if (subscriber.subscriptionId === subscriptionId) subscriber.request = undefined;
      const all =
        missed.length === 0 ? frames : [...frames, presenceFrame(subscriber.codec, audience.name, missed)];
      this.#sendOpened(subscriber, subscriptionId, { ...rest, frames: all }, version, run, true);
      const acks = subscriber.heldAcks ?? [];
      subscriber.heldAcks = undefined;
      for (const [seq, at] of acks) this.#parts.answers.acknowledge(subscriber, seq, at);
    });
  }

  /** Notes that an `opened` frame with the current presence is about to be sent. */
  #showing(subscriber: Subscriber, { lastSeq }: OpenedHead, opened: Uint8Array): Told {
    this.#parts.audience.presence.shown(subscriber.client);
    return { frames: [opened], lastSeq: lastSeq ?? undefined };
  }

  /** Does the same as `showing`. A snapshot that the link has is referred to, any other is in the frame. */
  #showingSnapshot(subscriber: Subscriber, head: OpenedHead, snapshot: EncodedSnapshot): Told {
    const { codec } = subscriber;
    const bytes = snapshot.in(codec);
    const shared =
      bytes.length < SHARED_BYTES ? undefined : this.#parts.effects.sharedNumber(subscriber.link.link, bytes);
    if (shared === undefined) return this.#showing(subscriber, head, openedSnapshot(codec, head, snapshot));
    this.#parts.audience.presence.shown(subscriber.client);
    const frames = aroundSnapshot(codec, head, bytes.length);
    return { frames, shared, lastSeq: head.lastSeq ?? undefined };
  }

  #commits(subscriber: Subscriber, version: number, run: readonly Entry[]): Frames {
    const { document, audience } = this.#parts;
    return run.length === 0
      ? []
      : [commitFrame(subscriber.codec, document.kind, audience.name, version, run)];
  }

  /**
   * The client's last seq at `version`, the version at which the run ends. Undefined if only the log knows
   * it.
   */
  #lastSeqIn(subscriber: Subscriber, version: number, run: readonly Entry[]): number | undefined {
    const { client } = subscriber;
    const own = run.findLast((entry) => entry.client === client);
    return own?.seq ?? this.#parts.document.lastSeqAt(client, version);
  }

  #askLastSeq(subscriber: Subscriber, version: number, then: (lastSeq: number | null) => void): void {
    this.#parts.waits.await(subscriber, (answered) =>
      this.#parts.effects.clientSeqs(subscriber.client, version, (found) =>
        answered(() => then(found?.lastSeq ?? null)),
      ),
    );
  }

  #openedHead(subscriber: Subscriber, version: number, lastSeq: number | null): OpenedHead {
    const { document, audience } = this.#parts;
    return {
      doc: audience.name,
      kind: document.kind.name,
      history: document.history,
      version,
      role: subscriber.role,
      lastSeq,
      presence: audience.presence.states,
      client: subscriber.client,
      id: subscriber.request?.id,
    };
  }

  #sendOpened(
    subscriber: Subscriber,
    subscriptionId: number,
    { frames, shared, lastSeq = 0 }: Told,
    version: number,
    run: readonly Entry[],
    complete: boolean,
  ): void {
    const { document, audience } = this.#parts;
    const seqs = run.filter((entry) => entry.client === subscriber.client).map((entry) => entry.seq);
    const { history } = document;
    subscriber.answered = subscriptionId;
    const { channelId } = subscriber.link;
    audience.tell(
      subscriber,
      shared === undefined
        ? [OPENED, channelId, subscriptionId, frames, version, history, seqs, complete, lastSeq]
        : [OPENED, channelId, subscriptionId, frames, version, history, seqs, complete, lastSeq, shared],
    );
  }
}

/**
 * A subscriber waits for at most this many further merges while the patches since the last one exceed one
 * frame. After that it gets them in several frames.
 */
const MOST_MERGES = 3;

const UNREADABLE = ['unavailable', 'the document cannot be read now'] as const satisfies [ErrorCode, string];
const OUT_OF_REACH = ['unavailable', 'the store is out of reach'] as const satisfies [ErrorCode, string];

/**
 * True if the subscriber needs an `opened` frame. A subscriber that resumes has had it from another owner.
 */
function hasOpened(subscriber: Subscriber, opening: number | undefined): opening is number {
  return opening !== undefined && !subscriber.request?.resume;
}

/** Takes as many durable patches from the start as fit, at least one. */
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
