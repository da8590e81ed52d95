// The calls for one document that have no answer yet (see link/calls.ts). Each gets exactly one. They stay while the
// document leaves memory and comes back.
import type { ErrorCode } from '../../../protocol/errors.ts';
import { type OwnerAnswer, refusedCall } from '../../link/calls.ts';
import { ANSWER, type ToGateway } from '../../link/link-messages.ts';

export interface OpenCall {
  readonly link: number;
  readonly callId: number;
  /** The client of a patch. Undefined for other calls. */
  readonly client: string | undefined;
}

export class OpenCalls {
  readonly #send: (link: number, message: ToGateway) => void;
  readonly #open = new Set<OpenCall>();
  /** The calls with a patch, by its client. The same patch may have come twice. */
  readonly #authors = new Map<string, Set<OpenCall>>();

  constructor(send: (link: number, message: ToGateway) => void) {
    this.#send = send;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  add(link: number, callId: number, client?: string): OpenCall {
    const call = { link, callId, client };
    this.#open.add(call);
    if (client === undefined) return call;
    const same = this.#authors.get(client);
    if (same === undefined) this.#authors.set(client, new Set([call]));
    else same.add(call);
    return call;
  }

  /** True if a call of this client waits for its answer. */
  has(client: string): boolean {
    return this.#authors.has(client);
  }

  /** Does nothing if the call has its answer already. */
  answer(call: OpenCall, answer: OwnerAnswer, content: Uint8Array | null = null): void {
    if (!this.#forget(call)) return;
    this.#send(call.link, [ANSWER, call.callId, answer, content]);
  }

  refuse(call: OpenCall, code: ErrorCode, message: string): void {
    this.answer(call, refusedCall(code, message));
  }

  /** Answers all calls with the patch of this client. */
  answerAuthor(client: string, answer: OwnerAnswer): void {
    for (const call of [...(this.#authors.get(client) ?? [])]) this.answer(call, answer);
  }

  answerAll(answer: OwnerAnswer): void {
    for (const call of [...this.#open]) this.answer(call, answer);
  }

  /** No answer reaches the link any more. */
  linkLost(link: number): void {
    for (const call of [...this.#open]) if (call.link === link) this.#forget(call);
  }

  #forget(call: OpenCall): boolean {
    if (call.client !== undefined) {
      const same = this.#authors.get(call.client);
      same?.delete(call);
      if (same?.size === 0) this.#authors.delete(call.client);
    }
    return this.#open.delete(call);
  }
}
