// The answers to submits that do not come as a commit: acks and rejections. Each leaves when everything that it depends
// on is durable. The gate keeps their order; the audience sends them.
import type { FinalSubmitCode } from '../../../protocol/errors.ts';
import { ACK } from '../../link/link-messages.ts';
import type { Document } from '../document.ts';
import type { Gate } from '../gate.ts';
import type { Audience } from '../subscribers/audience.ts';
import { type Subscriber, WAITING_MESSAGES } from '../subscribers/subscribers.ts';
import type { Waits } from '../waits.ts';

export class SubmitAnswers {
  readonly #document: Document;
  readonly #gate: Gate;
  readonly #audience: Audience;
  readonly #waits: Waits;

  constructor(document: Document, gate: Gate, audience: Audience, waits: Waits) {
    this.#document = document;
    this.#gate = gate;
    this.#audience = audience;
    this.#waits = waits;
  }

  /** Tells the author that this seq was committed before, as `version`. */
  acknowledge(subscriber: Subscriber, seq: number, version: number): void {
    const document = this.#document;
    const gate = this.#gate;
    const audience = this.#audience;
    // A subscriber that is being caught up has not received that version yet.
    if (subscriber.heldAcks !== undefined) {
      if (subscriber.heldAcks.length < WAITING_MESSAGES) subscriber.heldAcks.push([seq, version]);
      else audience.refuse(subscriber, seq, 'overloaded', 'too many messages of this client wait');
      return;
    }
    // A held ack saw the head, so it comes after the commit that carries its version.
    gate.hold(Math.max(version, document.durable), () => {
      if (!subscriber.gone)
        audience.tell(subscriber, [ACK, subscriber.link.channelId, subscriber.subscriptionId, seq, version]);
    });
  }

  /**
   * Answers a submit that will never commit. The answer is final, so it waits for two things: every patch
   * that the submit saw is durable, and the database has seen this session live since. A fenced session
   * that does not know it would otherwise reject a patch that has reached the log through its successor.
   */
  reject(subscriber: Subscriber, seq: number, code: FinalSubmitCode, message: string): void {
    let missing = 2;
    const arrived = (): void => {
      if (--missing === 0) this.#audience.refuse(subscriber, seq, code, message);
    };
    this.#gate.hold(this.#document.head, arrived);
    this.#waits.untilLive(arrived);
  }
}
