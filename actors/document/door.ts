// Submits that were turned away at a full mailbox, by link and subscription, in the order of arrival: what stands behind
// them in the same subscription is turned away too, also when there is room again. Their `open` may still wait in the
// mailbox, so that there is no subscriber yet to remember it. Empty nearly always.
import type { OpenSubmitCode } from '../../protocol/errors.ts';
import { LeftOpen } from '../left-open.ts';
import { CLOSE, OPEN, SUBMIT, type ToOwner } from '../link-messages.ts';

export class Door {
  /** By link, then by subscription. */
  private readonly links = new Map<number, Map<number, LeftOpen>>();

  /** The code that this message has to be turned away with; undefined: it may enter. */
  arrives(link: number, message: ToOwner): OpenSubmitCode | undefined {
    if (this.links.size === 0) return undefined;
    if (message[0] === OPEN) this.forget(link, message[3].replaces);
    else if (message[0] === CLOSE) this.forget(link, message[2]);
    if (message[0] !== SUBMIT) return undefined;
    const leftOpen = this.links.get(link)?.get(message[2]);
    const code = leftOpen?.arrives(message[3]);
    if (leftOpen?.isEmpty) this.forget(link, message[2]);
    return code;
  }

  turnedAway(link: number, message: ToOwner, code: OpenSubmitCode): void {
    if (message[0] !== SUBMIT) return;
    const [, , sub, seq] = message;
    const subs = this.links.get(link) ?? new Map<number, LeftOpen>();
    this.links.set(link, subs);
    const leftOpen = subs.get(sub) ?? new LeftOpen();
    subs.set(sub, leftOpen);
    leftOpen.add(seq, code);
  }

  linkLost(link: number): void {
    this.links.delete(link);
  }

  clear(): void {
    this.links.clear();
  }

  /** Forgets the subscriptions that are there no more. */
  keep(isThere: (link: number, sub: number) => boolean): void {
    for (const [link, subs] of this.links)
      for (const sub of subs.keys()) if (!isThere(link, sub)) this.forget(link, sub);
  }

  private forget(link: number, sub: number | undefined): void {
    const subs = this.links.get(link);
    if (subs === undefined || sub === undefined) return;
    subs.delete(sub);
    if (subs.size === 0) this.links.delete(link);
  }
}
