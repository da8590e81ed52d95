// The soak: many sockets on many documents, with edits at a steady rate that is independent of answers. Owns
// the load and the measurements; checks by checker.ts alone.

import { check } from '../checker/checker.ts';
import { readLogs } from '../checker/log.ts';
import type { Violation } from '../checker/records.ts';
import { BareClient } from '../clients/bare-client.ts';
import { BareEditor } from '../clients/editor.ts';
import { seededRandom } from '../clients/random-edits.ts';
import type { NodeProcess } from '../node-process.ts';
import { type Summary, summarize } from '../statistics.ts';

export interface SoakOptions {
  readonly url: string;
  /** The node whose memory is watched; undefined for none. */
  readonly node: NodeProcess | undefined;
  readonly sockets: number;
  readonly documents: number;
  readonly seconds: number;
  /** Edits per document and second, by all its sockets together. */
  readonly rate: number;
  readonly seed: number;
  readonly onPhase?: (line: string) => void;
}

export interface SoakResult {
  /** Milliseconds from making an edit to its commit, as its author sees it. */
  readonly latency: Summary;
  readonly edits: {
    submitted: number;
    committed: number;
    rejected: number;
    unknown: number;
    skipped: number;
  };
  /** Error codes sent by the server, and close codes of lost connections, each with its count. */
  readonly errors: Readonly<Record<string, number>>;
  readonly losses: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
  /**
   * Resident bytes of the node: before the first client came, while all were there, and the least after they
   * left.
   */
  readonly memory: { readonly before: number; readonly during: number; readonly after: number } | undefined;
  readonly connectMs: number;
}

/** Connections that are made at the same time. */
const CONNECTING = 50;
/** Time for which the memory is watched after the last client has left. */
const QUIET_MS = 30_000;
const KINDS = ['rich-text', 'json', 'yjs'] as const;

export async function soakRun(options: SoakOptions): Promise<SoakResult> {
  const { url, node, sockets, documents, seconds, rate, seed, onPhase = () => undefined } = options;
  const random = seededRandom(seed);
  const run = Math.floor(random() * 36 ** 6).toString(36);
  const docs = Array.from({ length: documents }, (_, index) => `soak/${run}-${index}`);
  const before = await node?.residentBytes();
  const latencies: number[] = [];
  const began = performance.now();
  const pace = { type: 'open', perSecond: (rate * documents) / sockets } as const;
  const clients: BareClient[] = [];
  const editors: BareEditor[] = [];
  try {
    for (let from = 0; from < sockets; from += CONNECTING) {
      const batch = Array.from({ length: Math.min(CONNECTING, sockets - from) }, async (_, place) => {
        const index = from + place;
        const encoding = index % 2 === 0 ? 'json' : 'msgpack';
        const client = new BareClient({ url, client: `soak-${run}-${index}`, encoding, random });
        clients.push(client);
        await client.connect();
        const doc = docs[index % documents] ?? '';
        const kind = KINDS[(index % documents) % KINDS.length] ?? 'json';
        const onLatency = (ms: number) => latencies.push(ms);
        const editor = new BareEditor({ client, doc, kind, random, pace, onLatency });
        editors.push(editor);
        await editor.document.opened();
      });
      await Promise.all(batch);
    }
    const connectMs = performance.now() - began;
    onPhase(`${sockets} sockets on ${documents} documents after ${Math.round(connectMs)} ms`);
    for (const editor of editors) editor.start();
    await sleep(seconds * 1000);
    const during = await node?.residentBytes();
    await Promise.all(editors.map((editor) => editor.stop()));
    await settled(editors);
    onPhase(`${latencies.length} edits committed; reading the logs`);
    const logs = await readLogs({ url, random }, docs);
    const violations = check(
      logs,
      clients.flatMap((client) => client.recorder.records()),
    );
    for (const client of clients) client.stop();
    onPhase('all have left');
    const after = await leastMemory(node);
    return {
      latency: summarize(latencies),
      edits: total(editors),
      errors: tally(clients.map((client) => client.errors)),
      losses: tally(clients.map((client) => client.losses)),
      violations,
      memory: before === undefined || during === undefined ? undefined : { before, during, after },
      connectMs,
    };
  } finally {
    for (const client of clients) client.stop();
  }
}

/** Waits until each editor has the newest version that any editor of its document has. */
async function settled(editors: readonly BareEditor[]): Promise<void> {
  const heads = new Map<string, number>();
  for (const { document } of editors) {
    heads.set(document.doc, Math.max(heads.get(document.doc) ?? 0, document.version));
  }
  await Promise.all(editors.map(({ document }) => document.until(heads.get(document.doc) ?? 0)));
}

async function leastMemory(node: NodeProcess | undefined): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  if (node === undefined) return least;
  for (const end = performance.now() + QUIET_MS; performance.now() < end; await sleep(500)) {
    least = Math.min(least, await node.residentBytes());
  }
  return least;
}

function total(editors: readonly BareEditor[]): SoakResult['edits'] {
  const sum = { submitted: 0, committed: 0, rejected: 0, unknown: 0, skipped: 0 };
  for (const { counts } of editors) {
    for (const name of ['submitted', 'committed', 'rejected', 'unknown', 'skipped'] as const)
      sum[name] += counts[name];
  }
  return sum;
}

function tally(maps: readonly ReadonlyMap<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const map of maps) for (const [name, count] of map) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
