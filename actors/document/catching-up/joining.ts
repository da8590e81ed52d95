// The end of every way by which a subscriber comes to the head: its answer leaves once everything in it is durable,
// and from the same moment the subscriber takes the commits. So it misses no version and gets none twice.
import { OPENED, type OpenedState, UPDATES } from '../../link/link-messages.ts';
import { SHARED_BYTES } from '../../link/snapshot-sender.ts';
import type { Document } from '../document.ts';
import type { DocumentEffects } from '../effects.ts';
import { type Entry, storedOf } from '../entry.ts';
import type { Gate } from '../gate.ts';
import type { EncodedSnapshot } from '../snapshots/encoded-snapshot.ts';
import type { SubmitAnswers } from '../submits/submit-answers.ts';
import type { Audience } from '../subscribers/audience.ts';
import {
  aroundSnapshot,
  commitFrame,
  type OpenedHead,
  openedSnapshot,
  presenceFrame,
} from '../subscribers/frames.ts';
import type { PresenceChange } from '../subscribers/presence.ts';
import type { Subscriber } from '../subscribers/subscribers.ts';

export type Frames = readonly Uint8Array[];

/**
 * An answer to a subscriber. With `shared` the first two frames are parts of one frame around that snapshot. For a
 * subscriber of `UPDATES` frames are updates, and the shared snapshot stands before them.
 */
export interface Answer {
  readonly frames: Frames;
  readonly shared?: number | undefined;
  /** For a subscriber of `UPDATES`, in its first answer. */
  readonly state?: OpenedState | undefined;
  /** See `OPENED`. */
  readonly present?: readonly string[] | undefined;
  /** As in the `opened` frame among `frames`. Undefined if there is none, or if the seq is not known. */
  readonly lastSeq?: number | undefined;
}

export interface JoiningParts {
  readonly document: Document;
  readonly gate: Gate;
  readonly audience: Audience;
  readonly effects: DocumentEffects;
  readonly answers: SubmitAnswers;
}

export class Joining {
  readonly #parts: JoiningParts;

  constructor(parts: JoiningParts) {
    this.#parts = parts;
  }

  /**
   * Lets the subscriber take the channel's commits from `version` on. `answer` is called when all patches that it
   * shows are durable. `run` has the patches that it shows.
   */
  join(subscriber: Subscriber, version: number, run: readonly Entry[], answer: () => Answer): void {
    const { gate, audience, answers } = this.#parts;
    const { subscriptionId } = subscriber;
    gate.hold(version, () => {
      // The socket has opened the document again and has already been answered on that.
      if (subscriber.gone || subscriptionId < subscriber.answered) return;
      const made = answer();
      const missed = audience.presence.caughtUp(subscriber.client);
      if (missed === undefined) {
        audience.lose(subscriber);
        return;
      }
      const present = this.#present(subscriber);
      audience.subscribers.join(subscriber);
      // The request is dropped once it has been answered, since thousands of sockets may have the document
      // open.
      if (subscriber.subscriptionId === subscriptionId) subscriber.request = undefined;
      const whole = { ...this.#withMissed(subscriber, made, missed), present };
      this.send(subscriber, subscriptionId, whole, version, run, true);
      const acks = subscriber.heldAcks ?? [];
      subscriber.heldAcks = undefined;
      for (const [seq, at] of acks) answers.acknowledge(subscriber, seq, at);
    });
  }

  /** The clients of whose presence the subscriber's gateway learns by the answer. Frames do not tell it to the gateway. */
  #present({ codec, link }: Subscriber): readonly string[] | undefined {
    if (codec === UPDATES || link.json + link.msgpack + link.updates > 0) return undefined;
    const { states } = this.#parts.audience.presence;
    return states.size === 0 ? undefined : [...states.keys()];
  }

  /** The answer with the changes of presence that the subscriber has missed. */
  #withMissed(subscriber: Subscriber, answer: Answer, missed: readonly PresenceChange[]): Answer {
    const { codec } = subscriber;
    const { frames, state } = answer;
    if (missed.length === 0) return answer;
    if (codec !== UPDATES)
      return { ...answer, frames: [...frames, presenceFrame(codec, this.#parts.audience.name, missed)] };
    const { vector, states } = state ?? NOTHING_NEW;
    return { ...answer, state: { vector, states: [...states, ...missed.flat()] } };
  }

  /** Sends an answer that reaches `version`. `complete`: the subscriber takes commits from now on. */
  send(
    subscriber: Subscriber,
    subscriptionId: number,
    { frames, shared, state, present, lastSeq = 0 }: Answer,
    version: number,
    run: readonly Entry[],
    complete: boolean,
  ): void {
    const { document, audience } = this.#parts;
    const seqs = run.filter((entry) => entry.client === subscriber.client).map((entry) => entry.seq);
    const { history } = document;
    subscriber.answered = subscriptionId;
    const { channelId } = subscriber.link;
    const opened = [
      OPENED,
      channelId,
      subscriptionId,
      frames,
      version,
      history,
      seqs,
      complete,
      lastSeq,
    ] as const;
    if (present !== undefined) audience.tell(subscriber, [...opened, shared ?? null, state ?? null, present]);
    else if (state !== undefined) audience.tell(subscriber, [...opened, shared ?? null, state]);
    else if (shared !== undefined) audience.tell(subscriber, [...opened, shared]);
    else audience.tell(subscriber, [...opened]);
  }

  /** An answer with this `opened` frame, which is about to be sent and shows the current presence. */
  showing(subscriber: Subscriber, { lastSeq }: OpenedHead, opened: Uint8Array): Answer {
    this.#parts.audience.presence.shown(subscriber.client);
    return { frames: [opened], lastSeq: lastSeq ?? undefined };
  }

  /** The same with an update for a subscriber of `UPDATES`. An update that the link has is referred to. */
  showingUpdate(
    subscriber: Subscriber,
    { lastSeq, presence, client, vector = NO_VECTOR }: OpenedHead,
    update: Uint8Array,
  ): Answer {
    this.#parts.audience.presence.shown(client);
    const states: string[] = [];
    for (const [other, text] of presence) if (other !== client) states.push(other, text);
    const shared = this.#sharedNumber(subscriber, update);
    return {
      frames: shared === undefined ? [update] : [],
      shared,
      state: { vector, states },
      lastSeq: lastSeq ?? undefined,
    };
  }

  /** The same for a snapshot. A snapshot that the link has is referred to, any other is in the frame. */
  showingSnapshot(subscriber: Subscriber, head: OpenedHead, snapshot: EncodedSnapshot): Answer {
    const { codec } = subscriber;
    const bytes = snapshot.in(codec);
    if (codec === UPDATES) return this.showingUpdate(subscriber, head, bytes);
    const shared = this.#sharedNumber(subscriber, bytes);
    if (shared === undefined) return this.showing(subscriber, head, openedSnapshot(codec, head, snapshot));
    this.#parts.audience.presence.shown(subscriber.client);
    const frames = aroundSnapshot(codec, head, bytes.length);
    return { frames, shared, lastSeq: head.lastSeq ?? undefined };
  }

  #sharedNumber(subscriber: Subscriber, bytes: Uint8Array): number | undefined {
    return bytes.length < SHARED_BYTES
      ? undefined
      : this.#parts.effects.sharedNumber(subscriber.link.link, bytes);
  }

  /** The patches of `run`, which ends at `version`, as frames. No frame if there are none. */
  commits(subscriber: Subscriber, version: number, run: readonly Entry[]): Frames {
    const { document, audience } = this.#parts;
    if (subscriber.codec === UPDATES) return run.map((entry) => storedOf(document.kind, entry));
    return run.length === 0
      ? []
      : [commitFrame(subscriber.codec, document.kind, audience.name, version, run)];
  }

  openedHead(subscriber: Subscriber, version: number, lastSeq: number | null): OpenedHead {
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
      vector: subscriber.codec === UPDATES ? document.stateVector() : undefined,
    };
  }
}

const NO_VECTOR = new Uint8Array();
const NOTHING_NEW: OpenedState = { vector: NO_VECTOR, states: [] };

/** Takes as many durable patches from the start as fit in `bytes`, at least one. */
export function takeFitting(run: readonly Entry[], bytes: number, durable: number): readonly Entry[] {
  let sum = 0;
  let count = 0;
  for (const entry of run) {
    sum += entry.size;
    if (entry.version > durable || (count > 0 && sum > bytes)) break;
    count++;
  }
  return run.slice(0, count);
}
