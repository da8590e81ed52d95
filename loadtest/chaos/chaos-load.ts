// The load of a chaos run: documents of all kinds, on each of them one steady writer at every node, whose
// commits measure pauses, and many clients that read and sometimes write. Some clients are on the SDK, some
// behind connections that lose answers, and some programs write over HTTP. Owns the clients; breaks nothing and judges nothing.

import type { HttpRecord } from '../checker/http-records.ts';
import type { DocumentRecord } from '../checker/records.ts';
import { BareClient } from '../clients/bare-client.ts';
import { BareEditor } from '../clients/editor.ts';
import { SdkEditor } from '../clients/editor-sdk.ts';
import { HttpWriter } from '../clients/http-writer.ts';
import type { Random } from '../clients/random-edits.ts';
import { CuttingProxy } from '../crash/crash-proxy.ts';
import type { ChaosCluster } from './chaos-cluster.ts';
import { Pauses } from './chaos-pauses.ts';

export interface ChaosLoadOptions {
  readonly cluster: ChaosCluster;
  /** Documents are `org/…`. */
  readonly org: string;
  readonly clients: number;
  readonly sdkClients: number;
  /** Programs that write over HTTP, each one document, through all nodes. */
  readonly httpWriters: number;
  /** Edits per second of all clients together. */
  readonly rate: number;
  /** Whether a part of the clients that write only sometimes lose answers, and send again. */
  readonly lossy: boolean;
  /**
   * Whether all clients except the steady writers are at the last node; otherwise clients are spread over all
   * nodes.
   */
  readonly crowded: boolean;
  readonly random: Random;
}

export interface Standing {
  readonly client: string;
  /** The index of its node; undefined if it is at none, or behind a line of its own. */
  readonly node: number | undefined;
  /** Whether it is one of the writers that measure pauses. */
  readonly steady: boolean;
  /** Errors, rejections and lost connections, by code. */
  readonly told: Readonly<Record<string, number>>;
}

const KINDS = ['rich-text', 'json', 'yjs'] as const;
const CLIENTS_PER_DOCUMENT = 8;
/** The share of the rate that steady writers make. */
const STEADY_SHARE = 0.9;
const SDK_PER_SECOND = 1;
const HTTP_PER_SECOND = 4;
const CONNECTING = 50;
const BACKOFF_MOST_MS = 1000;
const DRAIN_MS = 60_000;

interface ChaosClient {
  readonly client: BareClient;
  readonly editor: BareEditor;
  readonly steady: boolean;
  readonly lossy: boolean;
}

export class ChaosLoad {
  readonly docs: readonly string[];
  readonly pauses = new Pauses(() => performance.now());
  /** Time from making an edit to its commit, ms. */
  readonly waits: { readonly at: number; readonly ms: number }[] = [];
  readonly #options: ChaosLoadOptions;
  readonly #members: ChaosClient[] = [];
  readonly #sdkEditors: SdkEditor[] = [];
  readonly #httpWriters: HttpWriter[];
  readonly #proxies: CuttingProxy[] = [];
  #startedAt = 0;
  /** The time at which it was told to make no more edits. */
  stoppedAt = Number.POSITIVE_INFINITY;

  constructor(options: ChaosLoadOptions) {
    this.#options = options;
    const count = Math.max(KINDS.length, Math.round(options.clients / CLIENTS_PER_DOCUMENT));
    this.docs = Array.from({ length: count }, (_, place) => `${options.org}/${this.#kindOf(place)}-${place}`);
    this.#httpWriters = Array.from({ length: options.httpWriters }, (_, n) => this.#httpWriter(n));
  }

  /** Starts all clients; fulfilled when all have opened their documents and edit. */
  async start(): Promise<void> {
    const { cluster, clients, lossy } = this.#options;
    if (lossy) {
      for (const { process } of cluster.nodes) {
        const { random } = this.#options;
        this.#proxies.push(await CuttingProxy.open({ nodePort: process.port, random, restless: true }));
      }
    }
    const writers = this.docs.length * cluster.nodes.length;
    const rest = Math.max(0, clients - writers);
    for (let from = 0; from < writers + rest; from += CONNECTING) {
      const until = Math.min(from + CONNECTING, writers + rest);
      await Promise.all(Array.from({ length: until - from }, (_, i) => this.#join(from + i, writers, rest)));
    }
    await this.#joinOnSdk();
    for (const { editor } of this.#members) editor.start();
    for (const writer of this.#httpWriters) writer.start();
    this.#startedAt = performance.now();
  }

  /**
   * Makes no more edits; fulfilled when all edits have an answer and all clients have seen the last of them.
   */
  async stop(): Promise<void> {
    this.stoppedAt = performance.now();
    const ended = async (): Promise<void> => {
      await Promise.all(
        [...this.#members.map(({ editor }) => editor), ...this.#sdkEditors, ...this.#httpWriters].map(
          (each) => each.stop(),
        ),
      );
      const heads = new Map<string, number>();
      for (const { editor } of this.#members) {
        await editor.document.opened();
        heads.set(
          editor.document.doc,
          Math.max(heads.get(editor.document.doc) ?? 0, editor.document.version),
        );
      }
      await Promise.all(
        this.#members.map(({ editor: { document } }) => document.until(heads.get(document.doc) ?? 0)),
      );
    };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`edits did not end within ${DRAIN_MS} ms: ${this.#stuck()}`)),
        DRAIN_MS,
      );
    });
    await Promise.race([ended(), late]).finally(() => clearTimeout(timer));
  }

  close(): void {
    for (const { client, editor } of this.#members) {
      editor.close();
      client.stop();
    }
    for (const editor of this.#sdkEditors) editor.close();
    for (const writer of this.#httpWriters) writer.close();
    for (const proxy of this.#proxies) proxy.close();
  }

  records(): DocumentRecord[] {
    return [
      ...this.#members.flatMap(({ client }) => client.recorder.records()),
      ...this.#sdkEditors.flatMap((editor) => editor.records()),
    ];
  }

  httpRecords(): HttpRecord[] {
    return this.#httpWriters.map(({ record }) => record);
  }

  /** Acknowledged edits so far, and per second. */
  acknowledged(): { readonly edits: number; readonly perSecond: number } {
    let edits = 0;
    for (const { editor } of this.#members) edits += editor.counts.committed;
    return { edits, perSecond: edits / ((this.stoppedAt - this.#startedAt) / 1000) };
  }

  /** For each client its place, and the errors and losses that it has been told so far. */
  census(): readonly Standing[] {
    const places = new Map(
      this.#options.cluster.nodes.map(({ process }, place) => [process.socketUrl, place]),
    );
    return this.#members.map(({ client, editor, steady, lossy }) => {
      const told: Record<string, number> = {};
      for (const [code, count] of client.errors) told[code] = count;
      if (!lossy) for (const [loss, count] of client.losses) told[loss] = count;
      if (editor.counts.unknown > 0) told['given up'] = editor.counts.unknown;
      for (const { submits } of client.recorder.records())
        for (const { fate } of submits.values())
          if (fate.type === 'rejected')
            told[`rejected ${fate.code}`] = (told[`rejected ${fate.code}`] ?? 0) + 1;
      const node = client.live ? places.get(client.url) : undefined;
      return { client: client.options.client, node, steady, told };
    });
  }

  /**
   * Whether all clients have the document open; with `but`, at a node other than that one. Clients behind a proxy that cuts
   * them all the time are left out: they are hardly ever all connected at one moment.
   */
  isOpen(but?: number): boolean {
    const url = but === undefined ? undefined : this.#options.cluster.node(but).process.socketUrl;
    return this.#members.every(
      ({ client, editor, lossy }) => lossy || (editor.document.live && client.url !== url),
    );
  }

  /** Moves all clients back to their first node. */
  goHome(): void {
    for (const { client } of this.#members) client.goHome();
  }

  /** Number of sockets at each node, by its index. */
  sockets(): readonly number[] {
    const urls = this.#options.cluster.nodes.map(({ process }) => process.socketUrl);
    return urls.map((url) => this.#members.filter(({ client }) => client.live && client.url === url).length);
  }

  async #join(index: number, writers: number, rest: number): Promise<void> {
    const { cluster, rate, org, random, lossy, crowded } = this.#options;
    const steady = index < writers;
    const nodes = cluster.nodes.length;
    const place = steady ? Math.floor(index / nodes) : index % this.docs.length;
    const home = crowded && !steady ? nodes - 1 : index % nodes;
    const isLossy = lossy && !steady && index % 2 === 0;
    const urls = cluster.nodes.map(
      ({ process }, at) => (isLossy ? this.#proxies[at]?.socketUrl : process.socketUrl) ?? '',
    );
    const client = new BareClient({
      url: urls[home] ?? '',
      others: [...urls.slice(home + 1), ...urls.slice(0, home)],
      client: `${org}-${String(index).padStart(6, '0')}`,
      encoding: index % 2 === 0 ? 'json' : 'msgpack',
      resume: !isLossy || index % 4 !== 0,
      backoffMostMs: BACKOFF_MOST_MS,
      random,
    });
    const doc = this.docs[place] ?? '';
    const editor = new BareEditor({
      client,
      doc,
      kind: this.#kindOf(place),
      random,
      pace: steady
        ? {
            type: 'steady',
            perSecond: (rate * STEADY_SHARE) / writers,
            phase: ((index % nodes) + place / this.docs.length) / nodes,
          }
        : { type: 'open', perSecond: (rate * (1 - STEADY_SHARE)) / Math.max(1, rest) },
      ...(steady
        ? { onCommitted: (version: number) => this.pauses.committed(doc, client.options.client, version) }
        : {}),
      onLatency: (ms) => this.waits.push({ at: performance.now(), ms }),
    });
    this.#members.push({ client, editor, steady, lossy: isLossy });
    await client.connect();
    await editor.document.opened();
  }

  async #joinOnSdk(): Promise<void> {
    const { cluster, sdkClients, org, random } = this.#options;
    for (let i = 0; i < sdkClients; i++) {
      const place = i % this.docs.length;
      this.#sdkEditors.push(
        new SdkEditor({
          urls: cluster.nodes.map(({ process }) => process.socketUrl),
          clientId: `${org}-sdk-${String(i).padStart(4, '0')}`,
          doc: this.docs[place] ?? '',
          kind: this.#kindOf(place),
          random,
          pace: { type: 'open', perSecond: SDK_PER_SECOND },
        }),
      );
    }
    await Promise.all(this.#sdkEditors.map((editor) => editor.start()));
  }

  #httpWriter(n: number): HttpWriter {
    const { cluster, random } = this.#options;
    const place = n % this.docs.length;
    return new HttpWriter({
      urls: cluster.nodes.map(({ process }) => `http://127.0.0.1:${process.port}`),
      doc: this.docs[place] ?? '',
      kind: this.#kindOf(place),
      name: n.toString(36),
      writesPerSecond: HTTP_PER_SECOND,
      random,
    });
  }

  #kindOf(place: number): (typeof KINDS)[number] {
    return KINDS[place % KINDS.length] ?? 'json';
  }

  /** The clients that still wait, and what they wait for, for the person who looks for the cause. */
  #stuck(): string {
    const waiting = this.#members.filter(
      ({ editor: { document } }) => document.outstanding > 0 || !document.live,
    );
    const names = waiting
      .slice(0, 5)
      .map(({ client, editor: { document } }) =>
        [
          client.options.client,
          document.doc,
          client.url,
          client.live ? 'connected' : 'away',
          document.live ? 'open' : 'closed',
          `${document.outstanding} unanswered`,
        ].join(' '),
      );
    return `${waiting.length} clients wait; ${names.join('; ')}`;
  }
}
