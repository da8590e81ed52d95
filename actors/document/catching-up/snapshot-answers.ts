// Answers an open with a snapshot and the patches since. The snapshot is made once for all subscribers that wait for
// it, and the long parts of that are done elsewhere or in pieces: merging a yjs document, writing MessagePack, writing
// a large json document, and sending it over the link.
import type { ErrorCode } from '../../../protocol/errors.ts';
import { UPDATES } from '../../link/link-messages.ts';
import { SHARED_BYTES } from '../../link/snapshot-sender.ts';
import type { RecentSnapshot, Unmerged } from '../document.ts';
import type { EncodedSnapshot } from '../snapshots/encoded-snapshot.ts';
import type { Subscriber } from '../subscribers/subscribers.ts';
import type { Waits } from '../waits.ts';
import { Differences } from './differences.ts';
import { type Joining, type JoiningParts, takeFitting } from './joining.ts';

export interface SnapshotAnswersParts extends JoiningParts {
  readonly waits: Waits;
  readonly joining: Joining;
}

export class SnapshotAnswers {
  readonly #parts: SnapshotAnswersParts;
  /** Callbacks of subscribers that wait for a snapshot to be packed. */
  readonly #waitForPack = new Map<EncodedSnapshot, ((isPacked: boolean) => void)[]>();
  /** Subscribers that wait for a part of the document, or for its way over the link, with the most bytes it may have. */
  #waitForParts: { readonly subscriber: Subscriber; readonly bytes: number }[] = [];
  /** Callbacks of subscribers that wait for the document to be merged. */
  #waitForMerge: ((recent: RecentSnapshot | undefined) => void)[] = [];

  readonly #differences: Differences;

  constructor(parts: SnapshotAnswersParts) {
    this.#parts = parts;
    this.#differences = new Differences(parts.effects);
  }

  /**
   * Answers once the session is known to live. A client without a state builds upon this snapshot and numbers its
   * patches from `lastSeq` on; a client with a later state may have it from a successor of this session.
   */
  answerOnceLive(subscriber: Subscriber): void {
    const { effects, audience, waits } = this.#parts;
    waits.await(
      subscriber,
      (answered) =>
        effects.whenLive(
          () => answered(() => this.answer(subscriber)),
          () => answered(() => audience.fail(subscriber, ...OUT_OF_REACH)),
        ),
      'document',
    );
  }

  /**
   * Makes a snapshot for a reader without a subscription, which may be of a version before the present head. Undefined
   * if the document cannot be read now.
   */
  whole(reader: Subscriber, then: (made: RecentSnapshot | undefined) => void): void {
    const { document, waits } = this.#parts;
    const unmerged = document.unmerged();
    if (unmerged === undefined) this.#inPieces(reader, then);
    else
      waits.await(reader, (answered) => this.#whenMerged(unmerged, (merged) => answered(() => then(merged))));
  }

  /**
   * Answers a subscriber whose request came before the document was read from the store: nothing that it may have seen
   * is missing from that, whether or not the session lives. `merges`: further merges that the subscriber has waited for.
   */
  answer(subscriber: Subscriber, merges = 0): void {
    const { document, audience, waits } = this.#parts;
    if (subscriber.request?.resume) {
      audience.lose(subscriber);
      return;
    }
    if (subscriber.codec === UPDATES && this.#answerAtOnce(subscriber)) return;
    const recent = this.#usableRecent(subscriber);
    if (recent !== undefined) {
      this.#answerFrom(subscriber, recent);
      return;
    }
    const unmerged = document.unmerged();
    if (unmerged === undefined) {
      this.#inPieces(subscriber, (made) => this.#answerFrom(subscriber, made));
      return;
    }
    waits.await(subscriber, (answered) =>
      this.#whenMerged(unmerged, (merged) =>
        answered(() => {
          if (merged === undefined) audience.fail(subscriber, ...UNREADABLE);
          else if (this.#isFarBehind(merged) && merges < MOST_MERGES) this.answer(subscriber, merges + 1);
          else this.#answerFrom(subscriber, merged);
        }),
      ),
    );
  }

  /**
   * The last snapshot of a large document, so that many clients that open it during edits share the work. Undefined
   * if there is none, or if the patches since exceed one frame, or if memory does not know the client's last seq at
   * that version.
   */
  #usableRecent(subscriber: Subscriber): RecentSnapshot | undefined {
    const recent = this.#parts.document.recentSnapshot();
    if (recent === undefined || this.#isFarBehind(recent)) return undefined;
    return this.#knowsLastSeq(subscriber, recent.version) ? recent : undefined;
  }

  /** Makes a snapshot of the head, each piece in a turn of its own. */
  #inPieces(subscriber: Subscriber, then: (made: RecentSnapshot) => void): void {
    const { document, waits } = this.#parts;
    waits.await(
      subscriber,
      (answered) => waits.inPieces(document.snapshotPieces(), (made) => answered(() => then(made))),
      'document',
    );
  }

  /**
   * Has the snapshot of a large document of many updates merged elsewhere, once for all waiting subscribers. Each
   * callback runs in a turn of its own, because the answer's frame holds the whole document. Undefined: the merge
   * failed.
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

  /**
   * Answers a subscriber of `UPDATES` that lacks nothing, or only what was committed lately. False if it lacks more.
   */
  #answerAtOnce(subscriber: Subscriber): boolean {
    const { document, joining } = this.#parts;
    const lack = document.lackOf(vectorOf(subscriber));
    if (lack?.type !== 'update') return false;
    const version = document.head;
    const head = joining.openedHead(
      subscriber,
      version,
      document.lastSeqAt(subscriber.client, version) ?? null,
    );
    joining.join(subscriber, version, [], () => joining.showingUpdate(subscriber, head, lack.update));
    return true;
  }

  /**
   * True if the subscriber lacks a part of the document, which is worth cutting out of it. Each part is memory of its own,
   * so beyond PARTS_BYTES further subscribers share the whole.
   */
  #wantsPart(subscriber: Subscriber, { snapshot }: RecentSnapshot): boolean {
    if (subscriber.codec !== UPDATES) return false;
    const lack = this.#parts.document.lackOf(vectorOf(subscriber));
    if (lack === undefined || lack.type === 'most') return false;
    this.#waitForParts = this.#waitForParts.filter(
      (waiting) => !waiting.subscriber.gone && waiting.subscriber.request !== undefined,
    );
    // A larger part would not be cut out.
    const bytes = snapshot.length / 2;
    if (this.#waitForParts.reduce((sum, waiting) => sum + waiting.bytes, bytes) > PARTS_BYTES) return false;
    this.#waitForParts.push({ subscriber, bytes });
    return true;
  }

  /** Sends what the subscriber lacks of a snapshot, and the patches since. */
  #answerPart(subscriber: Subscriber, { version, snapshot }: RecentSnapshot): void {
    const { audience, waits } = this.#parts;
    waits.await(subscriber, (answered) =>
      this.#differences.whenCut(snapshot, vectorOf(subscriber), (part) =>
        answered(() => {
          if (part === undefined) audience.fail(subscriber, ...UNREADABLE);
          else this.#answerEncoded(subscriber, { version, snapshot: part });
        }),
      ),
    );
  }

  /** Sends a snapshot and the patches since. It is encoded for the subscriber first, if it is not yet. */
  #answerFrom(subscriber: Subscriber, recent: RecentSnapshot): void {
    const { audience, waits } = this.#parts;
    const { snapshot } = recent;
    if (this.#wantsPart(subscriber, recent)) {
      this.#answerPart(subscriber, recent);
      return;
    }
    const json = snapshot.unpacked(subscriber.codec);
    if (json === undefined) {
      this.#answerEncoded(subscriber, recent);
      return;
    }
    waits.await(subscriber, (answered) =>
      this.#whenPacked(snapshot, json, (isPacked) =>
        answered(() => {
          if (isPacked) this.#answerEncoded(subscriber, recent);
          else audience.fail(subscriber, ...UNREADABLE);
        }),
      ),
    );
  }

  /** Has the snapshot written as MessagePack elsewhere, once for all waiting subscribers. False: that failed. */
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
   * Sends an encoded snapshot, and the patches since. A large snapshot goes over the subscriber's link first, once
   * for all subscribers behind that link, and the subscriber waits for that.
   */
  #answerEncoded(subscriber: Subscriber, recent: RecentSnapshot): void {
    const { effects, audience, waits } = this.#parts;
    const { link } = subscriber.link;
    const answer = (): void => {
      // Patches of this client came after the snapshot, and memory does not know which came before it.
      if (!this.#joinFrom(subscriber, recent)) this.#joinAtHead(subscriber);
    };
    const bytes = recent.snapshot.in(subscriber.codec);
    if (bytes.length < SHARED_BYTES || effects.sharedNumber(link, bytes) !== undefined) {
      answer();
      return;
    }
    waits.await(subscriber, (answered) => {
      if (!effects.share(link, bytes, () => answered(answer)))
        answered(() => audience.fail(subscriber, 'overloaded', 'too many clients wait for snapshots'));
    });
  }

  /** Joins by a snapshot of the head, at which memory knows the client's last seq. */
  #joinAtHead(subscriber: Subscriber): void {
    const { document, joining } = this.#parts;
    this.#inPieces(subscriber, ({ version, snapshot }) => {
      const lastSeq = document.lastSeqAt(subscriber.client, version) ?? null;
      const head = joining.openedHead(subscriber, version, lastSeq);
      joining.join(subscriber, version, [], () => joining.showingSnapshot(subscriber, head, snapshot));
    });
  }

  /**
   * Joins by `recent` and the patches since, in several frames if one does not hold them. False if those patches are
   * not all in memory, or if memory knows the client's last seq at the head only.
   */
  #joinFrom(subscriber: Subscriber, recent: RecentSnapshot): boolean {
    const { document, audience, joining } = this.#parts;
    if (recent.version + 1 < document.windowStart) return false;
    if (!this.#knowsLastSeq(subscriber, recent.version)) return false;
    const lastSeq = document.lastSeqAt(subscriber.client, recent.version);
    const version = document.head;
    const run = document.slice(recent.version, version);
    const head = joining.openedHead(subscriber, recent.version, lastSeq ?? null);
    joining.join(subscriber, version, run, () => {
      const { frames: opened, ...rest } = joining.showingSnapshot(subscriber, head, recent.snapshot);
      const frames = [...opened];
      for (let left = run; left.length > 0; ) {
        const fitting = takeFitting(left, audience.frameBytes, version);
        const upTo = recent.version + run.length - left.length + fitting.length;
        frames.push(...joining.commits(subscriber, upTo, fitting));
        left = left.slice(fitting.length);
      }
      return { ...rest, frames };
    });
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
}

/**
 * A subscriber waits for at most this many further merges while the patches since the last one exceed one frame.
 * After that it gets them in several frames.
 */
const MOST_MERGES = 3;

/** Most bytes of the parts of one document that are made for subscribers and are not answered yet. */
const PARTS_BYTES = 128 * 1024 * 1024;

/** An empty state vector, of a subscriber that has nothing. */
const NOTHING = Uint8Array.of(0);

const vectorOf = ({ request }: Subscriber): Uint8Array => request?.vector ?? NOTHING;

const UNREADABLE = ['unavailable', 'the document cannot be read now'] as const satisfies [ErrorCode, string];
export const OUT_OF_REACH = ['unavailable', 'the store is out of reach'] as const satisfies [
  ErrorCode,
  string,
];
