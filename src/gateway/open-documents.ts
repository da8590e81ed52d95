// The documents that one socket has open, by name. Nearly all sockets have one document open, and edit it again and
// again, so one document needs no table, and the document found last is found again at once.
import type { Subscription } from './subscriptions/subscription.ts';

export class OpenDocuments {
  /** The only document while there is no table. Otherwise the one found last, if any. */
  #last: Subscription | undefined;
  /** All documents, from the second one on. */
  #table: Map<string, Subscription> | undefined;

  get size(): number {
    return this.#table?.size ?? (this.#last === undefined ? 0 : 1);
  }

  get(doc: string): Subscription | undefined {
    if (this.#last?.channel.doc === doc) return this.#last;
    const found = this.#table?.get(doc);
    if (found !== undefined) this.#last = found;
    return found;
  }

  /** In the order in which the documents were opened. */
  values(): Iterable<Subscription> {
    return this.#table?.values() ?? (this.#last === undefined ? [] : [this.#last]);
  }

  /** Adds the subscription, in place of another one to the same document. */
  set(subscription: Subscription): void {
    const only = this.#last;
    if (this.#table === undefined && only !== undefined && only.channel.doc !== subscription.channel.doc)
      this.#table = new Map([[only.channel.doc, only]]);
    this.#table?.set(subscription.channel.doc, subscription);
    this.#last = subscription;
  }

  delete(doc: string): void {
    if (this.#last?.channel.doc === doc) this.#last = undefined;
    this.#table?.delete(doc);
  }

  clear(): void {
    this.#last = undefined;
    this.#table = undefined;
  }
}
