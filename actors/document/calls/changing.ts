// A change to whether the document exists, while its actor carries it out: deleting it, or bringing it back. Before,
// everything that the actor has taken becomes durable; meanwhile all messages wait in the mailbox. It sends nothing.
import type { Change } from '../effects.ts';

export interface ChangeCall {
  readonly link: number;
  readonly callId: number;
  readonly change: Change;
}

export class Changing {
  #call: ChangeCall | undefined;
  #isAtStore = false;

  /** A change waits or is under way: no message is handled. */
  get isUnderWay(): boolean {
    return this.#call !== undefined;
  }

  /** A change waits until the actor has nothing else under way. */
  get waits(): boolean {
    return this.#call !== undefined && !this.#isAtStore;
  }

  begin(call: ChangeCall): void {
    if (this.#call !== undefined) throw new Error('a change is under way');
    this.#call = call;
  }

  /** The change goes to the store. */
  sent(): ChangeCall {
    if (this.#call === undefined || this.#isAtStore) throw new Error('no change waits');
    this.#isAtStore = true;
    return this.#call;
  }

  /** False if the change was given up meanwhile. */
  ended(call: ChangeCall): boolean {
    if (this.#call !== call) return false;
    this.giveUp();
    return true;
  }

  /** Returns the change that was under way. */
  giveUp(): ChangeCall | undefined {
    const call = this.#call;
    this.#call = undefined;
    this.#isAtStore = false;
    return call;
  }
}
