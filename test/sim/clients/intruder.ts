// A client of a user who may not do all that it tries: a viewer who submits, a thief who shows the client id of another
// user, a stranger who has no right, and a leaver whose right is taken away during the run. It goes on trying, over
// every node, through all faults. Each message to it is judged when it comes, and the log in the end.
import { Recorder } from '../../../loadtest/checker/records.ts';
import type { Random } from '../../../loadtest/clients/random-edits.ts';
import { readServerMessage } from '../../../loadtest/clients/server-message.ts';
import { jsonCodec } from '../../../protocol/codec.ts';
import type { ClientMessage, KindName, ServerMessage, Wire } from '../../../protocol/messages.ts';
import type { SimNode } from '../machines/sim-node.ts';
import { between, type World } from '../world.ts';
import type { ClientEnd, Connection } from './connection.ts';
import { ROLES, type Sub } from './sim-users.ts';

export interface IntruderOptions {
  readonly world: World;
  readonly sub: Sub;
  readonly client: string;
  readonly nodes: readonly SimNode[];
  readonly documents: readonly { readonly doc: string; readonly kind: KindName }[];
  /** True once the client id belongs to another user in the document. */
  readonly isTaken: (doc: string) => boolean;
}

const TRY_MS = [100, 900] as const;
const BACKOFF_MS = [50, 800] as const;
/** The seqs of a thief are above all of its victim. */
const THIEF_SEQ = 1_000_000_000;

export class Intruder {
  readonly #options: IntruderOptions;
  readonly #random: Random;
  readonly #recorder: Recorder;
  readonly #open = new Set<string>();
  /** Submits that must not commit. */
  readonly #refused: { readonly doc: string; readonly seq: number }[] = [];
  #seq: number;
  #isQuiet = false;
  #isWelcome = false;
  #node: SimNode | undefined;
  #connection: Connection | undefined;

  constructor(options: IntruderOptions) {
    const { world, sub, client } = options;
    this.#options = options;
    this.#random = world.random(`intruder ${sub}`);
    this.#recorder = new Recorder(client, { replicas: false, streams: false, now: world.scheduler.now });
    this.#seq = sub === 'thief' ? THIEF_SEQ : 0;
  }

  start(): void {
    this.#dial();
    this.#tryLater();
  }

  /** Ends the attempts. */
  quiet(): void {
    this.#isQuiet = true;
  }

  /** Its record for the checker. The id of a thief is recorded by its owner. */
  records(): ReturnType<Recorder['records']> {
    return this.#options.sub === 'thief' ? [] : this.#recorder.records();
  }

  /** Reports the edits that committed without a right. */
  judge(): void {
    const { world, sub, client } = this.#options;
    for (const { doc, seq } of this.#refused)
      if (world.log.committedAt(doc, client, seq) !== undefined)
        world.violated('rights-broken', `${doc}: seq ${seq} of ${sub} (${client}) has committed`);
    world.count(`attempts of a ${sub}`, this.#refused.length);
  }

  /** The leaver is an editor until the node knows better. */
  get #mayEdit(): boolean {
    const { sub } = this.#options;
    return sub === 'leaver' && this.#node?.isRevoked(sub) === false;
  }

  #dial(): void {
    const { nodes, world, sub } = this.#options;
    const node = nodes[Math.floor(this.#random() * nodes.length)];
    let dialled: Connection | undefined;
    const end: ClientEnd = {
      frame: (payload) => {
        if (this.#connection === dialled) this.#frame(payload);
      },
      closed: (code) => {
        world.count(`told: ${sub} closed ${code}`);
        if (this.#connection === dialled) this.#lost();
      },
    };
    dialled = node?.dial(jsonCodec, end);
    if (dialled === undefined) {
      world.scheduler.after(between(this.#random, BACKOFF_MS), () => this.#dial());
      return;
    }
    this.#node = node;
    this.#connection = dialled;
    this.#send({ type: 'hello', client: this.#options.client, token: sub });
  }

  #lost(): void {
    this.#connection = undefined;
    this.#isWelcome = false;
    this.#open.clear();
    this.#recorder.lost();
    if (!this.#isQuiet)
      this.#options.world.scheduler.after(between(this.#random, BACKOFF_MS), () => this.#dial());
  }

  #tryLater(): void {
    this.#options.world.scheduler.after(between(this.#random, TRY_MS), () => {
      if (this.#isQuiet) return;
      this.#try();
      this.#tryLater();
    });
  }

  #try(): void {
    const { documents, isTaken, sub } = this.#options;
    const found = documents[Math.floor(this.#random() * documents.length)];
    if (found === undefined || !this.#isWelcome) return;
    const { doc, kind } = found;
    if (sub === 'thief' && !isTaken(doc)) return;
    if (!this.#open.has(doc)) this.#send({ type: 'open', doc });
    if (sub === 'leaver' && !this.#open.has(doc)) return;
    this.#send({ type: 'presence', doc, data: { of: sub } });
    const seq = ++this.#seq;
    if (!this.#mayEdit) this.#refused.push({ doc, seq });
    this.#send({ type: 'submit', doc, seq, op: opOf(kind, seq) });
  }

  #send(message: ClientMessage): void {
    if (this.#connection === undefined) return;
    this.#recorder.sent(message);
    this.#options.world.trace.line(() => `${this.#options.sub} > ${JSON.stringify(message).slice(0, 160)}`);
    this.#connection.send(jsonCodec.encode(message));
  }

  #frame(payload: Uint8Array): void {
    const { world, sub } = this.#options;
    world.trace.bytes(payload);
    const message = readServerMessage(jsonCodec.decode(Buffer.from(payload).toString('utf8')));
    if (message === undefined) return;
    world.trace.line(() => `${sub} < ${JSON.stringify(message).slice(0, 160)}`);
    this.#recorder.received(message);
    this.#take(message);
  }

  #take(message: ServerMessage): void {
    const { world, sub } = this.#options;
    switch (message.type) {
      case 'welcome':
        this.#isWelcome = true;
        return;
      case 'opened':
        this.#open.add(message.doc);
        if (sub === 'thief' || ROLES[sub] === undefined)
          world.violated('rights-broken', `${message.doc} was opened for a ${sub}`);
        else if (message.role !== ROLES[sub])
          world.violated('rights-broken', `${message.doc} was opened for a ${sub} as ${message.role}`);
        return;
      case 'commit':
      case 'presence':
      case 'ack':
        if (!this.#open.has(message.doc))
          world.violated('rights-broken', `a ${sub} was told a ${message.type} of ${message.doc}`);
        return;
      case 'closed':
        this.#open.delete(message.doc);
        return;
      case 'error':
      case 'reject':
        world.count(`told: ${sub} ${message.type} ${message.code}`);
        return;
      default:
        return;
    }
  }
}

const opOf = (kind: KindName, seq: number): Wire => {
  switch (kind) {
    case 'json':
      return [{ op: 'add', path: '/intruder', value: seq }];
    case 'rich-text':
      return [{ insert: `intruder ${seq} ` }];
    case 'yjs':
      // An update without content.
      return Uint8Array.of(0, 0);
    default:
      return kind satisfies never;
  }
};
