// Submits that were turned away at a full mailbox, by link and subscription, in the order of arrival. While messages
// wait in the mailbox, later submits of the same subscription are turned away too, even if there is room again: the
// subscription's `open` may be among those messages, so there may be no subscriber yet that could remember this. When
// the mailbox is empty, the subscribers take their seqs over. Nearly always empty.
import type { OpenSubmitCode } from '../../../protocol/errors.ts';
import { LeftOpen } from '../../link/left-open.ts';
import { CLOSE, OPEN, SUBMIT, type ToOwner } from '../../link/link-messages.ts';

export class TurnedAway {
  /** By link, then by subscription. */
  readonly #links = new Map<number, Map<number, LeftOpen>>();

  get isEmpty(): boolean {
    return this.#links.size === 0;
  }

  /** The code with which this message must be turned away. Undefined if the message may enter. */
  arrives(link: number, message: ToOwner): OpenSubmitCode | undefined {
    if (message[0] === OPEN) this.#forget(link, message[3].replaces);
    else if (message[0] === CLOSE) this.#forget(link, message[2]);
    if (message[0] !== SUBMIT) return undefined;
    const leftOpen = this.#links.get(link)?.get(message[2]);
    const code = leftOpen?.arrives(message[3]);
    if (leftOpen?.isEmpty) this.#forget(link, message[2]);
    return code;
  }

  add(link: number, message: ToOwner, code: OpenSubmitCode): void {
    if (message[0] !== SUBMIT) return;
    const [, , subscriptionId, seq] = message;
    const subs = this.#links.get(link) ?? new Map<number, LeftOpen>();
    this.#links.set(link, subs);
    const leftOpen = subs.get(subscriptionId) ?? new LeftOpen();
    subs.set(subscriptionId, leftOpen);
    leftOpen.add(seq, code);
  }

  linkLost(link: number): void {
    this.#links.delete(link);
  }

  clear(): void {
    this.#links.clear();
  }

  /** Removes and returns everything. */
  takeAll(): { link: number; subscriptionId: number; leftOpen: LeftOpen }[] {
    const all = [...this.#links].flatMap(([link, subs]) =>
      [...subs].map(([subscriptionId, leftOpen]) => ({ link, subscriptionId, leftOpen })),
    );
    this.clear();
    return all;
  }

  #forget(link: number, subscriptionId: number | undefined): void {
    const subs = this.#links.get(link);
    if (subs === undefined || subscriptionId === undefined) return;
    subs.delete(subscriptionId);
    if (subs.size === 0) this.#links.delete(link);
  }
}
