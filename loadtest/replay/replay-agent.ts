// One agent of a replayed trace: a client, its author and the steps it has to make. Owns the time at which
// each step is sent.
//
// rich-text: the plan's order is enforced. A step is sent when every commit of another author before it has
// been received; its own steps need no waiting, so a run of them goes out as a pipeline of up to `inflight`
// submits, each made on the version that the one before it will get. If the server refuses one for a while,
// the submits behind it are refused as `version-unknown`, never committed out of order, and are sent again
// under new seqs. yjs: updates commute, so a step waits only for the updates that its author had seen.
import { wireBytes } from '../../protocol/codec.ts';
import type { CommittedOp, Opened } from '../../protocol/messages.ts';
import { type SubmitRecord, told } from '../checker/records.ts';
import type { Author, AuthoredPatch } from '../clients/author.ts';
import type { BareClient } from '../clients/bare-client.ts';
import type { BareDocument } from '../clients/bare-document.ts';
import { deferred } from '../clients/deferred.ts';
import { RunFailure } from '../command-line/cli-options.ts';
import type { Trace } from './trace.ts';
import type { PlanStep, TracePlan } from './trace-plan.ts';

export interface SharedRun {
  readonly trace: Trace;
  readonly plan: TracePlan;
  readonly kind: 'rich-text' | 'yjs';
  readonly doc: string;
  /** Client id → seq → the step it stands for. */
  readonly steps: Map<string, Map<number, PlanStep>>;
  readonly onProgress?: (committed: number) => void;
  fail(error: Error): void;
}

interface Sent {
  readonly step: PlanStep;
  readonly patch: AuthoredPatch;
}

/** The share of the server's `submitsPerSecond` that is used. */
const PACE = 0.9;
const PACE_TICK_MS = 20;

export class AgentRun {
  /** Own steps that were committed. */
  committed = 0;
  exact = 0;
  transformed = 0;
  readonly client: BareClient;
  readonly author: Author;
  readonly document: BareDocument;
  readonly #shared: SharedRun;
  readonly #agent: number;
  readonly #own: readonly PlanStep[];
  /** For each own step, the newest version by another author before it. */
  readonly #waitsFor: readonly number[];
  readonly #seqs = new Map<number, PlanStep>();
  readonly #underway = new Map<number, Sent>();
  #again: Sent[] = [];
  #next = 0;
  /** For each agent, its received steps, and how many of them from the first on are without gap. */
  readonly #received: { readonly nth: Set<number>; upTo: number }[];
  #began = 0;
  #sentCount = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #done = deferred<void>();

  constructor(shared: SharedRun, agent: number, client: BareClient, author: Author) {
    this.#shared = shared;
    this.#agent = agent;
    this.client = client;
    this.author = author;
    this.#own = shared.plan.byAgent[agent] ?? [];
    this.#waitsFor = newestOfOthers(shared.plan, agent);
    this.#received = shared.plan.byAgent.map(() => ({ nth: new Set(), upTo: 0 }));
    shared.steps.set(client.options.client, this.#seqs);
    this.document = client.open(shared.doc, {
      kind: shared.kind,
      listener: {
        opened: (message) => this.#guarded(() => this.#opened(message)),
        committed: (version, ops) => this.#guarded(() => this.#take(version, ops)),
        decided: (submit) => this.#guarded(() => this.#decided(submit)),
      },
    });
  }

  async open(): Promise<void> {
    await this.client.connect();
    await this.document.opened();
  }

  /** Fulfilled when every own step has been committed. */
  play(): Promise<void> {
    this.#began = performance.now();
    if (this.#own.length === 0) this.#done.resolve();
    this.#guarded(() => this.#pump());
    return this.#done.promise;
  }

  #opened(message: Opened): void {
    if ('ops' in message) this.#take(message.version, message.ops);
    else if (message.version > 0) {
      throw new Error(
        `${this.#shared.doc} is at version ${message.version}: it has been edited, or its history is gone`,
      );
    }
  }

  #take(version: number, ops: readonly CommittedOp[]): void {
    const shared = this.#shared;
    const agent = this.#agent;
    for (const [place, { client, seq, op }] of ops.entries()) {
      const at = version - ops.length + 1 + place;
      const step = shared.steps.get(client)?.get(seq);
      if (step === undefined) throw new Error(`version ${at} is by ${client}, who takes no part`);
      if (shared.kind === 'rich-text' && step.version !== at) {
        throw new Error(`version ${at} is the step that was to become ${step.version}`);
      }
      this.#note(step);
      if (step.agent !== agent) this.author.receive(step, shared.kind === 'yjs' ? (wireBytes(op) ?? op) : op);
    }
    if (agent === 0) shared.onProgress?.(version);
    this.#pump();
  }

  #note(step: PlanStep): void {
    const received = this.#received[step.agent];
    if (received === undefined) return;
    received.nth.add(step.nth);
    while (received.nth.delete(received.upTo)) received.upTo += 1;
  }

  #decided(submit: SubmitRecord): void {
    const sent = this.#underway.get(submit.seq);
    if (sent === undefined) return;
    this.#underway.delete(submit.seq);
    const { fate } = submit;
    if (fate.type === 'ok') {
      this.committed += 1;
      if (this.committed === this.#own.length) this.#done.resolve();
    } else if (fate.type === 'rejected' && (fate.code === 'version-unknown' || fate.code === 'seq-used')) {
      this.#again.push(sent);
    } else {
      throw new Error(`transaction ${sent.step.txn}, seq ${submit.seq}: ${told(fate)}`);
    }
    this.#pump();
  }

  #pump(): void {
    if (!this.document.live || this.#timer !== undefined) return;
    if (this.#again.length > 0) {
      if (this.#underway.size > 0) return;
      const again = this.#again.sort((left, right) => left.step.version - right.step.version);
      this.#again = [];
      for (const sent of again) this.#send(sent);
    }
    const { inflight = 1, submitsPerSecond = 1 } = this.client.limits ?? {};
    for (;;) {
      const step = this.#own[this.#next];
      if (step === undefined || this.#underway.size >= inflight || !this.#mayMake(step)) return;
      const due = ((performance.now() - this.#began) / 1000) * submitsPerSecond * PACE;
      if (this.#sentCount > due + inflight / 2) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#guarded(() => this.#pump());
        }, PACE_TICK_MS);
        return;
      }
      const patch = this.author.edit(step, this.#shared.trace.txns[step.txn]?.patches ?? []);
      if (patch.base === step.prefix) this.exact += 1;
      if (patch.base !== undefined && patch.base < step.version - 1) this.transformed += 1;
      this.#next += 1;
      this.#send({ step, patch });
    }
  }

  #mayMake(step: PlanStep): boolean {
    if (this.#shared.kind === 'rich-text') return this.document.version >= (this.#waitsFor[step.nth] ?? 0);
    return step.seen.every(
      (count, agent) => agent === this.#agent || (this.#received[agent]?.upTo ?? 0) >= count,
    );
  }

  #send(sent: Sent): void {
    const seq = this.document.submit(sent.patch.op, sent.patch.base);
    this.#seqs.set(seq, sent.step);
    this.#underway.set(seq, sent);
    this.#sentCount += 1;
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      clearTimeout(this.#timer);
      const message = error instanceof Error ? error.message : String(error);
      this.#shared.fail(new RunFailure(message, { cause: error }));
    }
  }
}

function newestOfOthers(plan: TracePlan, agent: number): number[] {
  let newest = 0;
  const waits: number[] = [];
  for (const step of plan.steps) {
    if (step.agent === agent) waits.push(newest);
    else newest = step.version;
  }
  return waits;
}
