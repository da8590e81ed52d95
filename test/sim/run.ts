// One simulation, made of a seed alone: a cluster and its clients, a time of faults, then a time in which
// everything must become live again, then the checker. The same seed gives the same run, event by event.

import * as Y from 'yjs';
import { check } from '../../loadtest/checker/checker.ts';
import type { Violation } from '../../loadtest/checker/records.ts';
import type { Random } from '../../loadtest/clients/random-edits.ts';
import type { KindName } from '../../protocol/messages.ts';
import { HttpWriter } from './clients/http-writer.ts';
import { Intruder } from './clients/intruder.ts';
import { SimClient } from './clients/sim-client.ts';
import type { Passed } from './clients/sim-document.ts';
import { ROLES, type Sub } from './clients/sim-users.ts';
import { YjsClient } from './clients/yjs-client.ts';
import { Faults } from './faults/faults.ts';
import { SimNode } from './machines/sim-node.ts';
import type { Failure, SimRule } from './verdict/failure.ts';
import { type Mutation, mutate } from './verdict/mutations.ts';
import { between, World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** Duration of the faults, s. */
  readonly seconds: number;
  /** The number of lines of the trace that are kept. */
  readonly lines?: number;
  /** A guarantee that is taken out, to prove that its absence is detected. */
  readonly mutation?: Mutation;
}

export interface RunResult {
  readonly seed: number;
  readonly failures: readonly Failure[];
  /** Hash over all events and frames. */
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly commits: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly lines: readonly string[];
}

/** After such a finding the run ends, and the checker is not asked about its consequences. */
const STRAIGHT: ReadonlySet<string> = new Set<SimRule>(['crash', 'zombie-row']);

const KINDS: readonly KindName[] = ['json', 'rich-text', 'yjs'];
const DOCUMENTS = 6;
const CLIENTS = 8;
/** Clients that speak the protocol of y-websocket. */
const YJS_CLIENTS = 2;
/** Programs that write over HTTP. */
const WRITERS = 2;
const PINNED_CHANCE = 0.5;
/** Time between two edits of one client: busy documents, and documents that rest at times. */
const EDIT_MS: readonly (readonly [number, number])[] = [
  [30, 400],
  [30, 400],
  [200, 1500],
  [500, 4000],
];
/** The longest time of each way to the database and back. */
const DATABASE_MS = [1, 2, 6, 20];
/** Factors by which the way from a node to the database is slower. */
const NODE_SLOWER = [1, 1, 4];
const FAULTS_FROM_MS = 1500;
const FAULT_EVERY_MS = [400, 2000] as const;
/** The share of runs in which one more node joins during the faults. */
const JOIN_CHANCE = 0.3;
/** One run in this many has a database that loses commits. */
const LOSSY_EVERY = 8;
/** Everything must be live within this time after the faults, and again after each client's last edit. */
const LIVE_WITHIN_MS = 90_000;
const LAST_EDITS_WITHIN_MS = 30_000;
const LOOK_MS = 50;
/** An unconfirmed owner serves for CONFIRM_MS at most, by a clock that may be slow. */
const STALE_MS = 3200;
/** The rules that also hold if the database lost commits. */
const NEVER_EXCUSED: ReadonlySet<string> = new Set([
  'log-gap',
  'epoch-decreased',
  'epoch-shared',
  'log-stuck',
]);

interface SimDocumentName {
  readonly doc: string;
  readonly kind: KindName;
}

export async function runSeed(options: RunOptions): Promise<RunResult> {
  const run = new Run(options);
  return await run.result();
}

class Run {
  readonly #options: RunOptions;
  readonly #world: World;
  readonly #nodes: readonly SimNode[];
  /** The number of nodes that start at the beginning. */
  readonly #first: number;
  readonly #clients: readonly SimClient[];
  readonly #yjsClients: readonly YjsClient[];
  readonly #writers: readonly HttpWriter[];
  readonly #intruders: readonly Intruder[];
  readonly #faults: Faults;
  /** For each document and version, the time at which the first client had it. */
  readonly #firstSeen = new Map<string, number[]>();
  /** The documents of kind yjs as the log had them at `head`. */
  readonly #wholes = new Map<string, { readonly head: number; readonly whole: Y.Doc }>();

  constructor(options: RunOptions) {
    this.#options = options;
    const { seed, seconds, lines = 0 } = options;
    this.#world = new World(seed, { lines });
    const world = this.#world;
    world.log.onZombie = (session) => this.#world.violated('zombie-row', `of session ${session}`);
    const random = world.random('shape');
    const dice = random();
    const slowest = DATABASE_MS[Math.floor(random() * DATABASE_MS.length)] ?? 1;
    world.delays.database = [slowest / 10, slowest];
    const count = dice < 0.15 ? 2 : dice < 0.25 ? 5 : dice < 0.35 ? 4 : 3;
    this.#nodes = Array.from(
      { length: count },
      (_, at) =>
        new SimNode(world, `n${at + 1}`, random() < 0.5 ? 1 : 2, NODE_SLOWER[at % NODE_SLOWER.length] ?? 1),
    );
    this.#first = random() < JOIN_CHANCE ? count - 1 : count;
    const documents = this.#makeDocuments(random);
    this.#clients = this.#makeClients(random, documents);
    this.#yjsClients = this.#makeYjsClients(documents);
    this.#writers = Array.from(
      { length: WRITERS },
      (_, at) =>
        new HttpWriter({
          world,
          name: `writer-${at + 1}`,
          nodes: this.#nodes,
          documents,
          onRead: (doc, version, askedAtMs) => this.#opened(doc, version, askedAtMs),
          onVersion: (doc, version) => this.#seen(doc, version),
        }),
    );
    this.#intruders = this.#makeIntruders(documents);
    this.#faults = new Faults({
      world,
      nodes: this.#nodes,
      clients: this.#clients,
      yjsClients: this.#yjsClients,
      fromMs: FAULTS_FROM_MS,
      toMs: FAULTS_FROM_MS + seconds * 1000,
      everyMs: between(random, FAULT_EVERY_MS),
      lossy: seed % LOSSY_EVERY === 0,
    });
  }

  async result(): Promise<RunResult> {
    const world = this.#world;
    const options = this.#options;
    const onRejection = (error: unknown): void => this.#crashed(error);
    process.on('unhandledRejection', onRejection);
    const restore = options.mutation === undefined ? undefined : mutate(options.mutation, world.log.tables);
    try {
      await this.#simulate();
      if (!this.#world.failures.some(({ rule }) => STRAIGHT.has(rule))) this.#check();
    } catch (error) {
      this.#crashed(error);
    } finally {
      restore?.();
      process.off('unhandledRejection', onRejection);
    }
    return {
      seed: options.seed,
      failures: world.failures,
      hash: world.trace.hash,
      events: world.scheduler.count,
      virtualMs: world.scheduler.now(),
      commits: world.log.rows,
      counts: world.counts,
      lines: world.trace.lines,
    };
  }

  async #simulate(): Promise<void> {
    const world = this.#world;
    const nodes = this.#nodes;
    const clients = this.#clients;
    const { scheduler } = world;
    const random = world.random('start');
    for (const node of nodes.slice(0, this.#first))
      scheduler.after(between(random, [0, 400]), () => node.start());
    for (const node of nodes.slice(this.#first))
      scheduler.after(between(random, [FAULTS_FROM_MS, FAULTS_FROM_MS + this.#options.seconds * 700]), () => {
        world.count('nodes that joined');
        node.start();
      });
    for (const client of [...clients, ...this.#yjsClients, ...this.#writers, ...this.#intruders])
      client.start();
    scheduler.after(between(random, [FAULTS_FROM_MS, FAULTS_FROM_MS + this.#options.seconds * 700]), () =>
      world.rights.revoke('leaver'),
    );
    this.#faults.schedule();
    const faultsEndMs = FAULTS_FROM_MS + this.#options.seconds * 1000;
    await scheduler.run({ until: () => world.failures.length > 0, untilMs: faultsEndMs + 1 });
    if (world.failures.length > 0) return;
    for (const client of [...clients, ...this.#yjsClients, ...this.#writers, ...this.#intruders])
      client.quiet();
    if (!(await this.#live(LIVE_WITHIN_MS, 'after the faults'))) return;
    for (const client of clients) client.editAll();
    for (const client of this.#yjsClients) client.edit();
    await this.#live(LAST_EDITS_WITHIN_MS, 'after the last edits');
  }

  async #live(withinMs: number, when: string): Promise<boolean> {
    const { scheduler, failures } = this.#world;
    let isLive = false;
    const stop = scheduler.every(LOOK_MS, () => {
      isLive = this.#whatIsNotLive() === undefined;
    });
    await scheduler.run({
      until: () => isLive || failures.length > 0,
      untilMs: scheduler.now() + withinMs,
    });
    stop();
    // Nothing has run since the look that found everything live.
    const missing = isLive ? undefined : this.#whatIsNotLive();
    if (missing === undefined || failures.length > 0) return missing === undefined;
    this.#world.violated('not-live', `${when}: ${missing}`);
    return false;
  }

  #whatIsNotLive(): string | undefined {
    for (const node of this.#nodes)
      if (!node.isMember || !node.isRouted) return `${node.name} is ${JSON.stringify(node.status())}`;
    for (const { outstanding } of this.#writers)
      if (outstanding > 0) return `${outstanding} writes over HTTP have no answer`;
    for (const client of this.#clients) {
      const { client: name } = client.recorder;
      if (!client.isConnected) return `${name} is not connected`;
      for (const { doc, live, outstanding, version } of client.documents.values()) {
        if (!live || outstanding > 0) return `${name} has ${outstanding} edits of ${doc}, live: ${live}`;
        if (this.#faults.lossyDocuments.has(doc)) continue;
        const head = this.#world.log.headOf(doc);
        if (version !== head) return `${name} has ${doc} at ${version} of ${head}`;
        const replica = client.recorder.replica(doc);
        if (replica?.version !== version) return `${name} has a replica of ${doc} at ${replica?.version}`;
      }
    }
    for (const client of this.#yjsClients) {
      const missing = this.#faults.lossyDocuments.has(client.doc)
        ? undefined
        : client.missing(this.#inLog(client.doc));
      if (missing !== undefined) return missing;
    }
    return undefined;
  }

  /**
   * A document of kind yjs as the log has it. Rows of a log are never replaced, except in a lossy document, about
   * which this is not asked.
   */
  #inLog(doc: string): Y.Doc {
    const head = this.#world.log.headOf(doc) ?? 0;
    const made = this.#wholes.get(doc);
    if (made?.head === head) return made.whole;
    const whole = new Y.Doc({ guid: doc });
    for (const { op } of this.#world.log.read(doc)?.rows ?? [])
      if (op instanceof Uint8Array) Y.applyUpdate(whole, op);
    this.#wholes.set(doc, { head, whole });
    return whole;
  }

  #check(): void {
    const world = this.#world;
    const faults = this.#faults;
    const gaps = world.counts.get('worker ended: gap') ?? 0;
    if (gaps > 0 && faults.lossyDocuments.size === 0) this.#world.violated('needless-gap', `${gaps} times`);
    world.count('batches', world.log.batches);
    world.count('batches of fenced sessions', world.log.fromFenced);
    world.count('batches that had committed', world.log.again);
    world.count('batches refused', world.log.refused);
    world.count('fences by the fenced', world.log.fencesLost);
    for (const intruder of this.#intruders) intruder.judge();
    const docs = [
      ...new Set([
        ...this.#clients.flatMap(({ documents }) => [...documents.keys()]),
        ...this.#yjsClients.map(({ doc }) => doc),
      ]),
    ];
    const logs = docs.map((doc) => world.log.read(doc)).filter((log) => log !== undefined);
    const isExcused = ({ doc, rule }: Violation): boolean =>
      faults.lossyDocuments.has(doc) && !NEVER_EXCUSED.has(rule);
    const found = check(logs, [
      ...this.#clients.flatMap((client) => client.recorder.records()),
      ...this.#writers.flatMap((writer) => writer.records()),
      ...this.#intruders.flatMap((intruder) => intruder.records()),
    ]);
    for (const client of this.#yjsClients) {
      if (!faults.lossyDocuments.has(client.doc) && !client.isToldIn(this.#inLog(client.doc)))
        world.violated('yjs-lost', client.doc);
    }
    for (const violation of found) {
      if (isExcused(violation)) continue;
      const { rule, doc, client, detail } = violation;
      world.violated(rule, `${doc} ${client ?? ''}: ${detail}`);
    }
  }

  #makeDocuments(random: Random): readonly SimDocumentName[] {
    const all = Array.from({ length: DOCUMENTS }, (_, at) => {
      const kind = KINDS[at % KINDS.length] ?? 'json';
      return { doc: `sim/${kind}-${Math.floor(random() * 1e6)}`, kind };
    });
    // Pinned shards come and go with their node, so the documents of this run move more often than by chance.
    if (random() < PINNED_CHANCE)
      this.#world.pins = all.map(({ doc }) => {
        const node = this.#nodes[Math.floor(random() * this.#nodes.length)];
        return { match: doc, node: node?.name ?? '', slot: Math.floor(random() * 2) };
      });
    return all;
  }

  #makeYjsClients(all: readonly SimDocumentName[]): readonly YjsClient[] {
    const documents = all.filter(({ kind }) => kind === 'yjs');
    return Array.from({ length: YJS_CLIENTS }, (_, at) => {
      const name = `yjs-client-${at + 1}`;
      const { doc } = documents[at % documents.length] ?? { doc: 'sim/yjs' };
      return new YjsClient({ world: this.#world, name, yjsClient: 1_000_000 + at, nodes: this.#nodes, doc });
    });
  }

  #makeClients(random: Random, all: readonly SimDocumentName[]): readonly SimClient[] {
    const editMs = EDIT_MS[Math.floor(random() * EDIT_MS.length)] ?? [30, 400];
    return Array.from({ length: CLIENTS }, (_, at) => {
      const count = 1 + Math.floor(random() * 3);
      const first = Math.floor(random() * DOCUMENTS);
      const documents = Array.from({ length: count }, (_, next) => all[(first + next) % DOCUMENTS]);
      return new SimClient({
        world: this.#world,
        name: `client-${at + 1}`,
        nodes: this.#nodes,
        editMs,
        documents: documents.filter((document) => document !== undefined),
        onOpened: (doc, version, askedAtMs) => this.#opened(doc, version, askedAtMs),
        onVersion: (doc, version) => this.#seen(doc, version),
        onPassed: (passed) => this.#passed(passed),
      });
    });
  }

  /** In a run in which commits may be lost, an id may become free again, so nobody shows the id of another. */
  #makeIntruders(documents: readonly SimDocumentName[]): readonly Intruder[] {
    const victim = 'client-1';
    const isLossy = this.#options.seed % LOSSY_EVERY === 0;
    const subs = (Object.keys(ROLES) as Sub[]).filter((sub) => sub !== 'thief' || !isLossy);
    return subs.map(
      (sub) =>
        new Intruder({
          world: this.#world,
          sub,
          client: sub === 'thief' ? victim : `${sub}-0001`,
          nodes: this.#nodes,
          documents,
          isTaken: (doc) => this.#world.log.hasCommitted(doc, victim),
        }),
    );
  }

  #seen(doc: string, version: number): void {
    const seen = this.#firstSeen.get(doc) ?? [];
    this.#firstSeen.set(doc, seen);
    for (let at = version; at > 0 && seen[at] === undefined; at--) seen[at] = this.#world.scheduler.now();
  }

  /**
   * An edit that had committed before the lower seq was left open has not passed it: an owner that ended had
   * decided on both, and its rejection of the lower one was lost.
   */
  #passed({ doc, client, seq, open, openSinceMs, wasWithLostOwner }: Passed): void {
    const committedAtMs = this.#world.log.committedAt(doc, client, seq);
    if (committedAtMs !== undefined && committedAtMs <= openSinceMs) this.#world.count('passed before');
    // The batch of the lost owner has committed later.
    else if (wasWithLostOwner) this.#world.count('passed with a lost owner');
    else this.#world.violated('open-passed', `${doc}: seq ${seq} of ${client} has passed ${open}`);
  }

  #opened(doc: string, version: number, askedAtMs: number): void {
    if (this.#faults.lossyDocuments.has(doc)) return;
    const newer = this.#firstSeen.get(doc)?.[version + 1];
    if (newer === undefined || newer >= askedAtMs - STALE_MS) return;
    this.#world.violated(
      'stale-read',
      `${doc} opened at ${version}, asked for at ${askedAtMs}; ${version + 1} was known at ${newer}`,
    );
  }

  #crashed(error: unknown): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#world.violated('crash', detail);
  }
}
