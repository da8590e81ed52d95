// Brings a submit to the log. `Document` orders the patch. If it commits, it goes to the gate and to the store; if
// history or seqs are missing for it, they are fetched and it is ordered then; otherwise its author is answered.

import type { Fit } from '../../../kinds/kind.ts';
import type { Document, Submission } from '../document.ts';
import type { ActorLimits, DocumentEffects } from '../effects.ts';
import { fromStored } from '../entry.ts';
import type { Gate } from '../gate.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import type { Audience } from '../subscribers/audience.ts';
import type { Subscriber } from '../subscribers/subscribers.ts';
import type { Waits } from '../waits.ts';
import type { SubmitAnswers } from './submit-answers.ts';

/**
 * A submit's base may reach back this many times historyOps before its author is told to rebase, because
 * historyMs may promise more than historyOps.
 */
const HISTORY_SLACK = 10;
/** Bytes of history that are read and decoded at once. */
const PAGE_BYTES = 1024 * 1024;
const BEFORE_HISTORY =
  'base is before the kept history: open the document again and make the patch on its head';
const TOO_MUCH_SINCE =
  'too many bytes have been committed since base: open the document again and make the patch on its head';

export interface SubmittingParts {
  readonly document: Document;
  readonly gate: Gate;
  readonly audience: Audience;
  readonly effects: DocumentEffects;
  readonly limits: ActorLimits;
  readonly snapshots: Snapshots;
  readonly waits: Waits;
  readonly answers: SubmitAnswers;
}

export class Submitting {
  readonly #parts: SubmittingParts;
  /**
   * More bytes than one submit may read have been committed since this version, and so since every earlier
   * one.
   */
  #tooMuchSince = -1;

  constructor(parts: SubmittingParts) {
    this.#parts = parts;
  }

  /**
   * `older` has the patches after the submission's base that memory had dropped, if they were fetched. `fit` tells how
   * far the patch applies at its base, if that was asked.
   */
  submit(subscriber: Subscriber, submission: Submission, older: readonly unknown[], fit?: Fit): void {
    const { document, gate, effects, audience, snapshots, answers } = this.#parts;
    if (effects.full) {
      audience.refuse(subscriber, submission.seq, 'overloaded', 'too much is waiting for the store');
      return;
    }
    const submitted = document.submit(submission, older, fit);
    switch (submitted.type) {
      case 'committed':
        gate.commit(submitted.entry);
        snapshots.logged(submitted.entry.size);
        effects.append(submitted.entry, submission.user, submitted.stored);
        return;
      case 'duplicate':
        answers.acknowledge(subscriber, submission.seq, submitted.version);
        return;
      case 'held':
        answers.acknowledge(subscriber, submission.seq, document.head);
        return;
      case 'rejected':
        answers.reject(subscriber, submission.seq, submitted.code, submitted.message);
        return;
      case 'too-old':
        audience.refuse(subscriber, submission.seq, 'version-too-old', submitted.message);
        return;
      case 'needs-history':
        // More patches were committed during the fetch than the window may hold, so it was cut again.
        if (older.length > 0) {
          audience.refuse(subscriber, submission.seq, 'overloaded', 'the document changes too fast');
          return;
        }
        this.#fetchHistory(subscriber, submission, submitted.after, submitted.upTo, fit);
        return;
      case 'needs-base':
        this.#askBase(subscriber, submission, submitted.base, submitted.op);
        return;
      case 'needs-log':
        this.#lookUpSeq(subscriber, submission.seq);
        return;
      default:
        throw new Error(submitted satisfies never);
    }
  }

  /** Fetches the patches in (after, upTo] that memory has dropped, then submits again. */
  #fetchHistory(
    subscriber: Subscriber,
    submission: Submission,
    after: number,
    upTo: number,
    fit: Fit | undefined,
  ): void {
    const { audience, effects, limits, waits } = this.#parts;
    const refuse = (code: 'version-too-old' | 'unavailable' | 'overloaded', message: string): void =>
      audience.refuse(subscriber, submission.seq, code, message);
    if (upTo - after > limits.historyOps * HISTORY_SLACK) {
      refuse('version-too-old', BEFORE_HISTORY);
      return;
    }
    if (after <= this.#tooMuchSince) {
      refuse('version-too-old', TOO_MUCH_SINCE);
      return;
    }
    waits.await(subscriber, (answered) => {
      const hasRoom = effects.reserve(limits.historyBytes, (release) =>
        this.#collect(after, upTo, [], 0, (found) => {
          answered(() => {
            if (found === 'out-of-reach') refuse('unavailable', 'the store is out of reach');
            else if (found === 'folded') refuse('version-too-old', BEFORE_HISTORY);
            else if (found === 'too-much') {
              this.#tooMuchSince = Math.max(this.#tooMuchSince, after);
              refuse('version-too-old', TOO_MUCH_SINCE);
            } else this.submit(subscriber, submission, found, fit);
          });
          release();
        }),
      );
      if (!hasRoom) answered(() => refuse('overloaded', 'too many submits wait for history'));
    });
  }

  /**
   * Fetches page by page, each in a turn of its own. `bytes` is the size in the log of the patches in
   * `got`.
   */
  #collect(
    after: number,
    upTo: number,
    got: unknown[],
    bytes: number,
    done: (found: readonly unknown[] | 'out-of-reach' | 'folded' | 'too-much') => void,
  ): void {
    const { document, effects, limits } = this.#parts;
    effects.history(after, upTo, Math.min(PAGE_BYTES, limits.historyBytes), (deltas) => {
      const last = deltas?.at(-1);
      if (deltas === undefined) done('out-of-reach');
      else if (last === undefined || deltas[0]?.version !== after + 1) done('folded');
      else {
        const read = deltas.reduce((sum, { op }) => sum + op.length, bytes);
        if (read > limits.historyBytes) {
          done('too-much');
          return;
        }
        for (const { op } of deltas) got.push(fromStored(document.kind, op));
        if (last.version < upTo) this.#collect(last.version, upTo, got, read, done);
        else done(got);
      }
    });
  }

  /** Has the patch judged on the document at its base, then submits again. */
  #askBase(subscriber: Subscriber, submission: Submission, base: number, op: Uint8Array): void {
    const { audience, effects, waits } = this.#parts;
    waits.await(subscriber, (answered) =>
      effects.fitAt(base, op, (fit) =>
        answered(() => {
          // History that was fetched is fetched again: its memory is not held for so long.
          if (fit !== undefined) this.submit(subscriber, submission, [], fit);
          else
            audience.refuse(
              subscriber,
              submission.seq,
              'unavailable',
              'the document at base is out of reach',
            );
        }),
      ),
    );
  }

  #lookUpSeq(subscriber: Subscriber, seq: number): void {
    const { audience, effects, waits, answers } = this.#parts;
    waits.await(subscriber, (answered) =>
      effects.seqVersion(subscriber.client, seq, (version) =>
        answered(() => {
          if (version === undefined)
            audience.refuse(subscriber, seq, 'unavailable', 'the store is out of reach');
          else if (version === 0) answers.reject(subscriber, seq, 'seq-used', 'a higher seq has committed');
          else answers.acknowledge(subscriber, seq, version);
        }),
      ),
    );
  }
}
