// One document's actor without a host. The test controls the log, the store's answers, durability and each
// tick of presence. Everything happens within the calls made here.
import type { Folded } from '../../../actors/compute/fold.ts';
import { doSnapshotJob } from '../../../actors/compute/snapshot-job.ts';
import { type ActorLimits, DocumentActor } from '../../../actors/document/actor.ts';
import { Document } from '../../../actors/document/document.ts';
import type { MadeSnapshot } from '../../../actors/document/effects.ts';
import type { AnyKind } from '../../../actors/document/entry.ts';
import { REMEMBERED_SEQS } from '../../../actors/document/submits/client-memory.ts';
import {
  CLOSE,
  JSON_FRAMES,
  jsonOp,
  OPEN,
  OPENED,
  type OpenRequest,
  PRESENCE,
  PULL,
  STATES,
  SUBMIT,
  type ToGateway,
  type ToOwner,
} from '../../../actors/link/link-messages.ts';
import type { StoredDelta } from '../../../actors/storage/store.ts';
import { WaitingRoom } from '../../../actors/turns/mailbox.ts';
import { kindOf } from '../../../kinds/registry.ts';
import { diffOf } from '../../../kinds/yjs/diff.ts';
import { mergeAll } from '../../../kinds/yjs/updates.ts';
import { frameMessage, HOST_LIMITS } from '../host/host-harness.ts';

export const DOC = 'acme/plan';
const ID = 36;
export const HISTORY = ID.toString(36);

/** Frames of at most 1 KiB of patches, and little of the log in memory. */
const LIMITS = { ...HOST_LIMITS.actor, receiveBytes: 16 * 1024, residentOps: 16 };

export class ActorHarness {
  readonly actor: DocumentActor;
  readonly log: StoredDelta[] = [];
  /** The messages to the links since they were taken last. */
  #got: ToGateway[] = [];
  #questions: (() => void)[] = [];
  #loaded: Document | undefined;
  /** True if the document can be loaded or made. */
  exists = true;
  /** True if the store cannot be reached when the document is loaded. */
  unavailable = false;
  /** Version up to which the log is read as a snapshot, so that the document does not know the authors below it. */
  folded = 0;
  /** Clients that are known to the store alone. */
  storedClients: readonly string[] = [];
  /** The snapshots that the actor has asked for. */
  readonly folds: {
    readonly version: number;
    readonly made: MadeSnapshot | undefined;
    readonly done: (folded: Folded | undefined) => void;
  }[] = [];
  #chans = 0;

  constructor(changed: Partial<ActorLimits> = {}) {
    const limits = { ...LIMITS, ...changed };
    this.actor = new DocumentActor(
      DOC,
      () => ({
        send: (_link, message) => this.#got.push(message),
        full: false,
        append: ({ version, client, seq }, user, op) =>
          this.log.push({ version, client, seq, user, op, epoch: 1 }),
        load: (_create, done) =>
          this.#ask(() => {
            if (this.unavailable) {
              done({ type: 'failed', code: 'unavailable', message: 'out of reach' });
              return;
            }
            if (!this.exists) {
              done({ type: 'missing' });
              return;
            }
            const kind: AnyKind = kindOf('rich-text');
            const whole = { id: ID, snapshotVersion: 0, snapshot: undefined, deltas: [...this.log] };
            const known = { clients: this.storedClients, someForgotten: false };
            const text = (upTo: number): Uint8Array =>
              asBytes(
                new Document(kind, { ...whole, deltas: this.log.slice(0, upTo) }, known, limits).snapshot(),
              );
            const { folded } = this;
            const loaded =
              folded === 0
                ? whole
                : {
                    ...whole,
                    snapshotVersion: folded,
                    snapshot: text(folded),
                    deltas: this.log.slice(folded),
                  };
            this.#loaded = new Document(kind, loaded, known, limits);
            done({ type: 'loaded', document: this.#loaded, loaded, creation: '' });
          }),
        change: (_change, done) =>
          this.#ask(() => {
            const isThere = this.exists;
            this.exists = false;
            done(isThere ? { type: 'changed', id: ID } : { type: 'none' });
          }),
        history: (after, upTo, maxBytes, done) =>
          this.#ask(() => {
            const wanted = this.log.slice(after, upTo);
            let count = 0;
            for (let bytes = 0; count < wanted.length; count++) {
              bytes += wanted[count]?.op.length ?? 0;
              if (count > 0 && bytes > maxBytes) break;
            }
            done(wanted.slice(0, count));
          }),
        reserve: (_bytes, then) => {
          then(() => undefined);
          return true;
        },
        clientSeqs: (client, upTo, done) =>
          this.#ask(() => {
            const own = this.log.filter((delta) => delta.client === client && delta.version <= upTo);
            const pairs = own.map(({ seq, version }) => [seq, version] as const).reverse();
            done({
              pairs: pairs.slice(0, REMEMBERED_SEQS),
              lastSeq: pairs[0]?.[0] ?? 0,
              user: own.at(-1)?.user ?? '',
            });
          }),
        seqVersion: (client, seq, done) =>
          this.#ask(() =>
            done(this.log.find((delta) => delta.client === client && delta.seq === seq)?.version ?? 0),
          ),
        whenLive: (then) => this.#ask(then),
        fold: (version, made, done) => this.folds.push({ version, made, done }),
        // A document of this harness is of a kind that is judged without its base.
        fitAt: (_base, _op, done) => this.#ask(() => done(undefined)),
        merge: (updates, done) => this.#ask(() => done(mergeAll(updates))),
        diff: (update, vectors, done) =>
          this.#ask(() => done(vectors.map((vector) => diffOf(update, vector)))),
        pack: (json, done) =>
          this.#ask(() => done(doSnapshotJob({ type: 'pack', json: new Uint8Array(json) }))),
        share: (_link, _bytes, then) => {
          this.#ask(then);
          return true;
        },
        sharedNumber: () => undefined,
        presenceChanged: () => undefined,
        rooms: { loads: new WaitingRoom(limits.mailbox), turns: new WaitingRoom(limits.mailbox) },
        mustYield: false,
        later: (act) => this.#ask(act),
        next: (act) => this.#ask(act),
        postponed: () => undefined,
        settled: () => undefined,
        wantTurn: () =>
          this.#ask(() => {
            while (this.actor.takeTurn());
          }),
      }),
      limits,
    );
  }

  get document(): Document {
    if (this.#loaded === undefined) throw new Error('not loaded');
    return this.#loaded;
  }

  /** Opens over link 0 by default, as client `client-<subscriptionId>`. */
  open(subscriptionId: number, request: Partial<OpenRequest> = {}, link = 0, channelId = 1): void {
    const client = `client-${subscriptionId}`;
    this.actor.handle(link, [
      OPEN,
      channelId,
      subscriptionId,
      { doc: DOC, client, user: 'u', role: 'owner', codec: JSON_FRAMES, ...request },
    ]);
    this.#answer();
  }

  /** Opens as a host does over a channel that it does not know yet. */
  openOnNewChannel(subscriptionId: number, request: Partial<OpenRequest> = {}, link = 0): void {
    const channelId = 100 + ++this.#chans;
    this.actor.channels.push({ link, channelId });
    this.open(subscriptionId, request, link, channelId);
  }

  submit(subscriptionId: number, seq: number, text: string): void {
    this.send([SUBMIT, 1, subscriptionId, seq, -1, jsonOp(JSON.stringify([{ insert: text }]))]);
  }

  presence(subscriptionId: number, data: string | null): void {
    this.send([PRESENCE, 1, subscriptionId, data === null ? null : JSON.stringify(data)]);
  }

  close(subscriptionId: number): void {
    this.send([CLOSE, 1, subscriptionId]);
  }

  pull(subscriptionId: number): void {
    this.send([PULL, 1, subscriptionId]);
  }

  send(message: ToOwner): void {
    this.actor.handle(0, message);
    this.#answer();
  }

  /** Makes everything in the log durable. */
  commit(): void {
    this.actor.durableTo(this.log.length);
    this.#answer();
  }

  /** Writes `count` edits of one subscriber, each durable. They are far more than one frame holds. */
  write(subscriptionId: number, count: number): void {
    for (let seq = 1; seq <= count; seq++) {
      this.submit(subscriptionId, seq, `edit ${seq} `.repeat(4));
      this.commit();
    }
  }

  /** Takes the messages since the last call. */
  taken(): readonly ToGateway[] {
    const got = this.#got;
    this.#got = [];
    return got;
  }

  /** Runs the tick of presence that is due. Returns the states that the links are to tell. */
  tick(): Record<string, unknown> {
    const before = this.taken();
    const all: Record<string, unknown> = {};
    for (let told = -1; told !== Object.keys(all).length; ) {
      told = Object.keys(all).length;
      this.actor.flushPresence();
      for (const message of this.taken()) if (message[0] === STATES) Object.assign(all, statesOf(message[2]));
    }
    this.#got.push(...before);
    return all;
  }

  #ask(answer: () => void): void {
    this.#questions.push(answer);
  }

  #answer(): void {
    for (let next = this.#questions.shift(); next !== undefined; next = this.#questions.shift()) next();
  }
}

const asBytes = (snapshot: string | Uint8Array): Uint8Array =>
  typeof snapshot === 'string' ? Buffer.from(snapshot) : snapshot;

/** The last `opened`, chunk or resumption that a subscription was sent. */
export function lastOpened(
  messages: readonly ToGateway[],
  subscriptionId: number,
): ToGateway & [typeof OPENED, ...unknown[]] {
  const found = messages.findLast((message) => message[0] === OPENED && message[2] === subscriptionId);
  if (found?.[0] !== OPENED) throw new Error(`nothing was opened for ${subscriptionId}`);
  return found;
}

/** The presence of the others that a client knows after these frames. */
export function presenceIn(
  frames: readonly Uint8Array[],
  known: Record<string, unknown> = {},
): Record<string, unknown> {
  for (const message of frames.map(frameMessage)) {
    if (message.type === 'opened') known = { ...(message.presence as Record<string, unknown>) };
    if (message.type === 'presence') known = { ...known, ...(message.states as Record<string, unknown>) };
  }
  return known;
}

function statesOf(states: readonly (string | null)[]): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  for (let i = 0; i < states.length; i += 2) {
    const text = states[i + 1];
    all[states[i] ?? ''] = typeof text === 'string' ? JSON.parse(text) : null;
  }
  return all;
}
