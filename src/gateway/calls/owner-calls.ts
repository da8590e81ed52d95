// Asks the owners of documents, for requests that have no subscription (see actors/link/calls.ts). It hides changes of
// owner: a call without an answer is sent again to the next owner, which knows what the call has done already.
//
// A call waits for at most `waitMs`, and the number of calls is bounded. Past these bounds a call is refused.
import type { Clock } from '../../../actors/clock.ts';
import { type OwnerAnswer, type OwnerCall, refusedCall } from '../../../actors/link/calls.ts';
import { CALL, type LinkOp } from '../../../actors/link/link-messages.ts';
import type { OwnerLink } from '../../../cluster/shards/owner-link.ts';
import type { Router } from '../../../cluster/shards/router.ts';
import type { OwnerSnapshots } from '../subscriptions/owner-snapshots.ts';

export interface OwnerCallsOptions {
  readonly router: Router;
  readonly after: Clock['after'];
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** How long a call waits for its answer, ms. */
  readonly waitMs: number;
  /** Most calls without an answer. */
  readonly most: number;
}

/** The answer to a call, with the bytes of the content, if it has some. */
export interface Answered {
  readonly answer: Exclude<OwnerAnswer, { readonly type: 'again' }>;
  readonly content: readonly Uint8Array[];
}

interface Pending {
  readonly doc: string;
  readonly call: OwnerCall;
  readonly op: LinkOp | null;
  readonly settle: (answered: Answered) => void;
  /** Its number on the link. A new one each time that it is sent. */
  number: number;
  /** The owner that has it. Undefined while it waits for an owner. */
  link: OwnerLink | undefined;
  tries: number;
  /** The last refusal after which it was sent again. */
  refusal: Answered['answer'] | undefined;
  /** Cancels the time at which it is given up, or at which it is sent again. */
  cancel: (() => void)[];
}

const AGAIN_FIRST_MS = 20;
const AGAIN_MAX_MS = 500;

const NO_OWNER = refusedCall('unavailable', 'the document has no owner at the moment', 500);
const NO_ANSWER = refusedCall(
  'unavailable',
  'the owner of the document does not answer: whether this was done is not known',
  500,
);
const TOO_MANY = refusedCall('overloaded', 'too many requests wait for documents', 500);
const BEHIND = refusedCall('overloaded', 'the owner of this document is behind', 500);
const STOPPING = refusedCall('unavailable', 'the node is stopping', 500);

export class OwnerCalls {
  readonly #options: OwnerCallsOptions;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #isEnded = false;

  constructor(options: OwnerCallsOptions) {
    this.#options = options;
  }

  /** Calls without an answer. */
  get size(): number {
    return this.#pending.size;
  }

  /** `doc` is a valid name. `op`: the patch of a `write`, or of a `create` that has one. */
  ask(doc: string, call: OwnerCall, op: LinkOp | null = null): Promise<Answered> {
    if (this.#isEnded) return Promise.resolve({ answer: STOPPING, content: [] });
    if (this.#pending.size >= this.#options.most) return Promise.resolve({ answer: TOO_MANY, content: [] });
    return new Promise((settle) => {
      const pending: Pending = {
        doc,
        call,
        op,
        settle,
        number: 0,
        link: undefined,
        tries: 0,
        refusal: undefined,
        cancel: [],
      };
      pending.cancel.push(
        this.#options.after(this.#options.waitMs, () =>
          this.#settle(pending, pending.refusal ?? (pending.link === undefined ? NO_OWNER : NO_ANSWER)),
        ),
      );
      this.#send(pending);
    });
  }

  /** An owner has answered. Late answers to calls that were sent again elsewhere are ignored. */
  answered(
    link: OwnerLink,
    number: number,
    answer: OwnerAnswer,
    content: Uint8Array | null,
    snapshots: OwnerSnapshots,
  ): void {
    const pending = this.#pending.get(number);
    if (pending?.link !== link) return;
    if (answer.type === 'again') this.#sendLater(pending);
    else if (answer.type === 'refused' && answer.code === 'unavailable' && answer.retryAfterMs === 0) {
      // The owner has not done it. It may be able to within the time that is left, or another owner.
      pending.refusal = { ...answer, retryAfterMs: 500 };
      this.#sendLater(pending);
    } else if (answer.type === 'content' && answer.shared !== null) {
      const shared = snapshots.get(link, answer.shared);
      // An owner that is far behind drops what it has sent ahead, and sends it again.
      if (shared === undefined) this.#sendLater(pending);
      else this.#settle(pending, answer, [...shared.pieces]);
    } else this.#settle(pending, answer, content === null ? [] : [Buffer.from(content)]);
  }

  /** The owner behind the link is gone. */
  lost(link: OwnerLink): void {
    for (const pending of [...this.#pending.values()]) if (pending.link === link) this.#send(pending);
  }

  /** The router may lead to other owners. */
  changed(): void {
    for (const pending of [...this.#pending.values()])
      if (this.#options.router.linkOf(pending.doc) !== pending.link) this.#send(pending);
  }

  /** The node stops, and no owner will answer. All calls are refused, those that wait and those that come. */
  end(): void {
    this.#isEnded = true;
    for (const pending of [...this.#pending.values()])
      this.#settle(pending, pending.refusal ?? (pending.link === undefined ? STOPPING : NO_ANSWER));
  }

  /** Sends the call to the present owner, under a new number. It waits if there is none. */
  #send(pending: Pending): void {
    this.#pending.delete(pending.number);
    pending.number = ++this.#last;
    this.#pending.set(pending.number, pending);
    const link = this.#options.router.linkOf(pending.doc);
    pending.link = link;
    if (link === undefined) return;
    const isTaken = link.offer([CALL, pending.number, pending.doc, pending.call, pending.op]);
    if (isTaken) return;
    // Whether an earlier owner has done it is not known, so only the first refusal is an answer.
    if (pending.tries === 0) this.#settle(pending, BEHIND);
    else this.#sendLater(pending);
  }

  #sendLater(pending: Pending): void {
    this.#pending.delete(pending.number);
    pending.number = ++this.#last;
    this.#pending.set(pending.number, pending);
    const { after, random } = this.#options;
    const delay = Math.min(AGAIN_MAX_MS, AGAIN_FIRST_MS * 2 ** pending.tries++);
    const { number } = pending;
    pending.cancel[1]?.();
    pending.cancel[1] = after(delay * (0.5 + random() / 2), () => {
      if (this.#pending.get(number) === pending) this.#send(pending);
    });
  }

  #settle(pending: Pending, answer: Answered['answer'], content: readonly Uint8Array[] = []): void {
    if (!this.#pending.delete(pending.number)) return;
    for (const cancel of pending.cancel) cancel();
    pending.settle({ answer, content });
  }
}
