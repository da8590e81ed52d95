// A virtual editor on a bare client: has a document open and edits it at random, either as soon as its last
// edit has its answer (closed loop) or at a rate that does not depend on answers (open loop, steady). Leaves
// its records with the client; never checks them. The editor on the SDK is in editor-sdk.ts.
import { wireBytes } from '../../protocol/codec.ts';
import type { KindName, Wire } from '../../protocol/messages.ts';
import type { SubmitRecord } from '../checker/records.ts';
import type { BareClient } from './bare-client.ts';
import type { BareDocument } from './bare-document.ts';
import { type Pace, untilNextEdit } from './pace.ts';
import { type EditSource, editSource, type Random } from './random-edits.ts';

export interface EditorCounts {
  submitted: number;
  committed: number;
  rejected: number;
  /** Edits given up without an answer. */
  unknown: number;
  /** Open loop: edits that were due while too many had no answer, and so were not made. */
  skipped: number;
}

export interface EditorOptions {
  readonly client: BareClient;
  readonly doc: string;
  readonly kind: KindName;
  readonly random: Random;
  readonly pace: Pace;
  /** Called for each committed edit with the milliseconds from making it to its commit. */
  readonly onLatency?: (ms: number) => void;
  /** Called with the version of each commit that arrives. */
  readonly onCommitted?: (version: number) => void;
}

/** Unanswered edits above which an open loop makes no more, as a person would stop at a page that hangs. */
const MOST_OUTSTANDING = 32;

export class BareEditor {
  readonly counts: EditorCounts = { submitted: 0, committed: 0, rejected: 0, unknown: 0, skipped: 0 };
  readonly document: BareDocument;
  readonly #options: EditorOptions;
  readonly #source: EditSource;
  #running = false;
  #timer: NodeJS.Timeout | undefined;
  #fresh = true;
  #quiet: (() => void) | undefined;
  /** seq → time at which its edit was made, which may be before it could be sent. */
  readonly #madeAt = new Map<number, number>();

  constructor(options: EditorOptions) {
    this.#options = options;
    this.#source = editSource(options.kind, options.random);
    const { client, doc, kind } = options;
    this.document = client.open(doc, {
      kind,
      listener: {
        opened: (message) => {
          if (!('ops' in message)) this.#fresh = true;
          else for (const entry of message.ops) this.#take(entry.op);
          this.#next();
        },
        committed: (version, ops) => {
          options.onCommitted?.(version);
          for (const entry of ops) this.#take(entry.op);
        },
        decided: (submit) => this.#decided(submit),
      },
    });
  }

  start(): void {
    this.#running = true;
    this.#next();
  }

  /** Makes no more edits, and waits for no answer. */
  close(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Makes no more edits; fulfilled when every edit made has its answer. */
  async stop(): Promise<void> {
    this.close();
    if (this.document.outstanding > 0) await new Promise<void>((resolve) => (this.#quiet = resolve));
  }

  #take(op: Wire): void {
    if (this.#fresh) return;
    const bytes = this.#options.kind === 'yjs' ? wireBytes(op) : undefined;
    this.#source.take(bytes ?? op);
  }

  #next(): void {
    if (!this.#running || this.#timer !== undefined) return;
    const { pace, random } = this.#options;
    if (pace.type === 'closed') {
      if (this.document.live && this.document.outstanding === 0) this.#edit();
      return;
    }
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        if (this.document.outstanding >= MOST_OUTSTANDING || this.document.replica === undefined)
          this.counts.skipped += 1;
        else this.#edit();
        this.#next();
      },
      untilNextEdit(pace, random),
    );
  }

  #edit(): void {
    const { replica } = this.document;
    if (replica === undefined) return;
    if (this.#fresh) this.#source.reset(replica);
    this.#fresh = false;
    this.counts.submitted += 1;
    this.#submit(this.#source.next(replica), this.#options.kind === 'yjs' ? undefined : replica.version);
  }

  #submit(op: Wire, base: number | undefined): void {
    const made = performance.now();
    this.#madeAt.set(this.document.submit(op, base), made);
  }

  #decided(submit: SubmitRecord): void {
    const { counts } = this;
    const options = this.#options;
    const madeAt = this.#madeAt.get(submit.seq);
    this.#madeAt.delete(submit.seq);
    switch (submit.fate.type) {
      case 'ok':
        counts.committed += 1;
        if (submit.decidedAt !== undefined && madeAt !== undefined)
          options.onLatency?.(submit.decidedAt - madeAt);
        break;
      case 'rejected':
        counts.rejected += 1;
        if (options.kind === 'yjs' && submit.fate.code === 'seq-used') this.#submit(submit.op, undefined);
        else this.#fresh = true;
        break;
      case 'unknown':
        counts.unknown += 1;
        this.#fresh = true;
        break;
    }
    if (this.document.outstanding === 0) this.#quiet?.();
    if (options.pace.type === 'closed') setImmediate(() => this.#next());
  }
}
