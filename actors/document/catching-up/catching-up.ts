// Brings a subscriber up to the head, where it joins the subscribers that take the commits. It does so by a snapshot
// (snapshot-answers.ts), by the missing patches, or by chunks of them that the gateway pulls. It never shows a patch
// that is not durable, and leaves neither a gap nor a repeat.
import { type OpenRequest, UPDATES } from '../../link/link-messages.ts';
import type { StoredDelta } from '../../storage/store.ts';
import type { RecentSnapshot } from '../document.ts';
import { type Entry, entryOf } from '../entry.ts';
import { openedSince } from '../subscribers/frames.ts';
import type { Subscriber } from '../subscribers/subscribers.ts';
import type { Waits } from '../waits.ts';
import { type Answer, Joining, type JoiningParts, takeFitting } from './joining.ts';
import { OUT_OF_REACH, SnapshotAnswers } from './snapshot-answers.ts';

/** Bytes of a subscriber's state vector, some ten for each author of the document. It is read several times. */
const VECTOR_BYTES = 1024 * 1024;
const ANOTHER_USER = 'this client id belongs to another user';

export interface CatchingUpParts extends JoiningParts {
  readonly waits: Waits;
}

export class CatchingUp {
  readonly #parts: CatchingUpParts;
  readonly #joining: Joining;
  readonly #snapshots: SnapshotAnswers;

  constructor(parts: CatchingUpParts) {
    this.#parts = parts;
    this.#joining = new Joining(parts);
    this.#snapshots = new SnapshotAnswers({ ...parts, joining: this.#joining });
  }

  /** `isReadAfter`: the document was read from the store after the request came. */
  open(
    link: number,
    channelId: number,
    subscriptionId: number,
    request: OpenRequest,
    isReadAfter = false,
  ): void {
    const { document, audience, waits } = this.#parts;
    const { name } = document.kind;
    const isOfAnother = request.codec === UPDATES ? name !== 'yjs' : (request.kind ?? name) !== name;
    if (isOfAnother) {
      audience.refuseOpen(link, channelId, subscriptionId, 'wrong-kind', `this document is of kind ${name}`);
      return;
    }
    const { vector } = request;
    if (vector !== undefined && vector.length > VECTOR_BYTES) {
      const text = `a state vector has at most ${VECTOR_BYTES} bytes`;
      audience.refuseOpen(link, channelId, subscriptionId, 'too-large', text);
      return;
    }
    if (vector !== undefined && document.lackOf(vector) === undefined) {
      audience.refuseOpen(link, channelId, subscriptionId, 'bad-message', 'not a Yjs state vector');
      return;
    }
    const { client, user } = request;
    if (audience.isHeldByAnother(request) || !document.mayUse(client, user)) {
      audience.refuseOpen(link, channelId, subscriptionId, 'forbidden', ANOTHER_USER);
      return;
    }
    const subscriber = audience.subscribe(link, channelId, subscriptionId, request);
    if (subscriber === undefined) return;
    if (!document.needsRecall(client)) {
      this.#begin(subscriber, isReadAfter);
      return;
    }
    // Until the store has answered, the owner of the client id may take the place of this subscriber.
    waits.recall(subscriber, (known) => {
      if (!known) audience.fail(subscriber, ...OUT_OF_REACH);
      else if (!document.mayUse(client, user)) audience.fail(subscriber, 'forbidden', ANOTHER_USER);
      else this.#begin(subscriber, isReadAfter);
    });
  }

  /**
   * Sends the next patches after the subscriber's version. With `opening`, they go out in its `opened`, which starts
   * at that version.
   */
  bringOn(subscriber: Subscriber, opening?: number): void {
    const { document, gate, audience } = this.#parts;
    const after = subscriber.at;
    if (after + 1 < document.windowStart) {
      this.#fetch(subscriber, after, opening);
      return;
    }
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
  }

  /** See `SnapshotAnswers.whole`. */
  whole(reader: Subscriber, then: (made: RecentSnapshot | undefined) => void): void {
    this.#snapshots.whole(reader, then);
  }

  #begin(subscriber: Subscriber, isReadAfter: boolean): void {
    const { document } = this.#parts;
    subscriber.holdsClient = true;
    const { request } = subscriber;
    const since = subscriber.codec === UPDATES && !request?.resume ? undefined : request?.since;
    if (since !== undefined && since <= document.head && request?.history === document.history) {
      subscriber.at = since;
      this.bringOn(subscriber, since);
    } else if (isReadAfter) this.#snapshots.answer(subscriber);
    else this.#snapshots.answerOnceLive(subscriber);
  }

  /** Fetches patches that have left memory, and sends them. */
  #fetch(subscriber: Subscriber, after: number, opening: number | undefined): void {
    const { document, effects, audience, waits } = this.#parts;
    waits.await(subscriber, (answered) => {
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
    // The patches have been folded away since. The subscriber gets a snapshot if it has not received patches yet.
    if (deltas[0]?.version !== after + 1) {
      if (opening === undefined) audience.lose(subscriber);
      else this.#snapshots.answerOnceLive(subscriber);
      return;
    }
    this.#chunk(subscriber, deltas.map(entryOf), opening);
  }

  /**
   * Sends durable patches that end before the head. The gateway pulls the next ones when the socket has taken these.
   */
  #chunk(subscriber: Subscriber, run: readonly Entry[], opening: number | undefined): void {
    const { document } = this.#parts;
    const joining = this.#joining;
    const version = run.at(-1)?.version ?? subscriber.at;
    subscriber.at = version;
    subscriber.heldAcks ??= [];
    const send = (answer: Answer): void =>
      joining.send(subscriber, subscriber.subscriptionId, answer, version, run, false);
    const { codec } = subscriber;
    if (!needsOpened(subscriber, opening) || codec === UPDATES) {
      send({ frames: joining.commits(subscriber, version, run) });
      return;
    }
    const sendOpened = (lastSeq: number | null): void => {
      const head = joining.openedHead(subscriber, version, lastSeq);
      send(joining.showing(subscriber, head, openedSince(codec, document.kind, head, opening, run)));
    };
    const lastSeq = this.#lastSeqIn(subscriber, version, run);
    if (lastSeq !== undefined) sendOpened(lastSeq);
    else
      this.#askLastSeq(subscriber, version, (found) =>
        // The store has dropped the client's pairs up to this version. The highest of all its seqs stands in for
        // them; it is never 0 for a client that has committed.
        sendOpened(found || (document.lastSeqAt(subscriber.client, document.durable) ?? null)),
      );
  }

  #joinAtHead(subscriber: Subscriber, run: readonly Entry[], opening: number | undefined): void {
    const { document } = this.#parts;
    const joining = this.#joining;
    const version = document.head;
    const { codec } = subscriber;
    if (!needsOpened(subscriber, opening) || codec === UPDATES) {
      joining.join(subscriber, version, run, () => ({ frames: joining.commits(subscriber, version, run) }));
      return;
    }
    // If only memory knows the head, memory has the client's latest seqs too.
    const head = joining.openedHead(subscriber, version, this.#lastSeqIn(subscriber, version, run) ?? null);
    joining.join(subscriber, version, run, () =>
      joining.showing(subscriber, head, openedSince(codec, document.kind, head, opening, run)),
    );
  }

  /** The client's last seq at `version`, the version at which the run ends. Undefined if only the log knows it. */
  #lastSeqIn(subscriber: Subscriber, version: number, run: readonly Entry[]): number | undefined {
    const { client } = subscriber;
    const own = run.findLast((entry) => entry.client === client);
    return own?.seq ?? this.#parts.document.lastSeqAt(client, version);
  }

  #askLastSeq(subscriber: Subscriber, version: number, then: (lastSeq: number | null) => void): void {
    const { effects, waits } = this.#parts;
    waits.await(subscriber, (answered) =>
      effects.clientSeqs(subscriber.client, version, (found) => answered(() => then(found?.lastSeq ?? null))),
    );
  }
}

/** True if the subscriber needs an `opened` frame. A subscriber that resumes has had it from another owner. */
function needsOpened(subscriber: Subscriber, opening: number | undefined): opening is number {
  return opening !== undefined && !subscriber.request?.resume;
}
