// Carries out calls for a document in memory: reads, and writes, which are ordered as submits are. A call sees what the
// document is when its turn comes, and its answer waits until all of that is durable, and until the session is known to
// live. It has no subscription: a subscriber of its own, which nobody else sees, stands for it.
import { type OwnerCall, tagOf } from '../../link/calls.ts';
import { ACK, JSON_FRAMES, type LinkOp, REFUSED, type ToGateway } from '../../link/link-messages.ts';
import { SHARED_BYTES } from '../../link/snapshot-sender.ts';
import type { CatchingUp } from '../catching-up/catching-up.ts';
import { OUT_OF_REACH } from '../catching-up/snapshot-answers.ts';
import type { RecentSnapshot } from '../document.ts';
import type { Submitting, SubmittingParts } from '../submits/submitting.ts';
import type { Subscriber } from '../subscribers/subscribers.ts';
import type { OpenCall } from './open-calls.ts';

const ANOTHER_USER = 'this client id belongs to another user';

export interface CallsParts extends SubmittingParts {
  readonly submitting: Submitting;
  readonly catchingUp: CatchingUp;
  /** The mark of the call that created the document. '' if no call did. */
  readonly creation: string;
}

type Call<Type extends OwnerCall['type']> = OwnerCall & { readonly type: Type };

export class Calls {
  readonly #parts: CallsParts;

  constructor(parts: CallsParts) {
    this.#parts = parts;
  }

  take(link: number, callId: number, call: Call<'read' | 'write' | 'create'>, op: LinkOp | null): void {
    const { calls } = this.#parts.audience;
    switch (call.type) {
      case 'read':
        this.#read(calls.add(link, callId), call);
        return;
      case 'write':
        if (op !== null) this.#write(calls.add(link, callId, call.client), call, op);
        return;
      case 'create':
        this.#create(calls.add(link, callId), call, op === null ? 0 : 1);
        return;
      default:
        throw new Error(`unknown call ${String(call satisfies never)}`);
    }
  }

  /** The document is there. The call that has created it is told so, and every other one that it exists. */
  #create(call: OpenCall, { client }: Call<'create'>, version: number): void {
    const { document, audience, creation, waits } = this.#parts;
    const { history } = document;
    waits.untilLive(() => {
      if (creation === client) audience.calls.answer(call, { type: 'committed', history, version });
      else audience.calls.refuse(call, 'exists', 'there is a document of this name');
    });
  }

  #write(call: OpenCall, write: Call<'write'>, op: LinkOp): void {
    const { document, audience, effects, waits } = this.#parts;
    const { client } = write;
    if (!document.needsRecall(client)) {
      this.#submit(call, write, op);
      return;
    }
    waits.await(this.#subscriberOf(call), (answered) =>
      effects.clientSeqs(client, document.durable, (found) =>
        answered(() => {
          if (found === undefined) {
            audience.calls.refuse(call, ...OUT_OF_REACH);
            return;
          }
          // The same patch may have come twice.
          if (document.needsRecall(client)) document.memory(client).recall(found);
          this.#submit(call, write, op);
        }),
      ),
    );
  }

  #submit(call: OpenCall, { client, user, seq, base, ifTag }: Call<'write'>, op: LinkOp): void {
    const { document, audience, submitting } = this.#parts;
    if (audience.isHeldByAnother({ client, user }) || !document.mayUse(client, user)) {
      audience.calls.refuse(call, 'forbidden', ANOTHER_USER);
      return;
    }
    const isNew = document.memory(client).answer(seq).type === 'new';
    if (isNew && ifTag !== null && !ifTag.includes(tagOf(document.history, document.head))) {
      this.#finally(() =>
        audience.calls.refuse(call, 'precondition-failed', 'the document is not at the version of If-Match'),
      );
      return;
    }
    submitting.submit(this.#subscriberOf(call, client, user), { client, user, seq, base, op }, []);
  }

  #read(call: OpenCall, { unless }: Call<'read'>): void {
    const { document, gate, audience, effects, waits } = this.#parts;
    waits.await(
      this.#subscriberOf(call),
      (answered) =>
        effects.whenLive(
          () =>
            answered(() => {
              const { history, head } = document;
              if (unless.includes(tagOf(history, head)))
                gate.hold(head, () =>
                  audience.calls.answer(call, { type: 'unchanged', history, version: head }),
                );
              else this.#readWhole(call, head);
            }),
          () => answered(() => audience.calls.refuse(call, ...OUT_OF_REACH)),
        ),
      'document',
    );
  }

  /** Answers with the document at version `least` or a later one. */
  #readWhole(call: OpenCall, least: number): void {
    const { audience, catchingUp } = this.#parts;
    catchingUp.whole(this.#subscriberOf(call), (made) => {
      if (made === undefined) audience.calls.refuse(call, 'unavailable', 'the document cannot be read now');
      else if (made.version < least) this.#readWhole(call, least);
      else this.#shareAndAnswer(call, made);
    });
  }

  /** A large document goes over the link in pieces, once for all who want it. */
  #shareAndAnswer(call: OpenCall, made: RecentSnapshot): void {
    const { gate, effects, audience, waits } = this.#parts;
    const bytes = made.snapshot.in(JSON_FRAMES);
    const answer = (): void => gate.hold(made.version, () => this.#answerWith(call, made.version, bytes));
    if (bytes.length < SHARED_BYTES || effects.sharedNumber(call.link, bytes) !== undefined) {
      answer();
      return;
    }
    waits.await(this.#subscriberOf(call), (answered) => {
      if (!effects.share(call.link, bytes, () => answered(answer)))
        answered(() =>
          audience.calls.refuse(call, 'overloaded', 'too many clients wait for large documents'),
        );
    });
  }

  #answerWith(call: OpenCall, version: number, bytes: Uint8Array): void {
    const { document, effects, audience } = this.#parts;
    const { history, kind } = document;
    const shared = bytes.length < SHARED_BYTES ? undefined : effects.sharedNumber(call.link, bytes);
    audience.calls.answer(
      call,
      { type: 'content', kind: kind.name, history, version, shared: shared ?? null },
      shared === undefined ? bytes : null,
    );
  }

  /** Runs once everything that is in the document now is durable, and the session is known to live. */
  #finally(then: () => void): void {
    const { document, gate, waits } = this.#parts;
    const { head } = document;
    waits.untilLive(() => gate.hold(head, then));
  }

  #subscriberOf(call: OpenCall, client = '', user = ''): Subscriber {
    const { calls } = this.#parts.audience;
    const { history } = this.#parts.document;
    const told = (message: ToGateway): void => {
      if (message[0] === REFUSED) calls.refuse(call, message[4], message[5]);
      else if (message[0] === ACK) calls.answer(call, { type: 'committed', history, version: message[4] });
    };
    return {
      link: { link: call.link, channelId: call.callId, subs: new Map(), json: 0, msgpack: 0, updates: 0 },
      subscriptionId: call.callId,
      answered: 0,
      formerSubs: [],
      client,
      user,
      role: 'editor',
      codec: JSON_FRAMES,
      askedAt: 0,
      again: false,
      request: undefined,
      holdsClient: false,
      joined: false,
      at: 0,
      waiting: undefined,
      leftOpen: undefined,
      heldAcks: undefined,
      gone: false,
      call: { told },
    };
  }
}
