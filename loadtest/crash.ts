// The crash run: a node is killed again and again under load from the SDK and from bare clients,
// its PostgreSQL too, each time brought back on the same data; then everything that any client was
// ever told is held against the log. Owns the faults and the load, judges by checker.ts alone.
import { BareClient } from './bare-client.ts';
import { check } from './checker.ts';
import { BareEditor } from './editor.ts';
import { SdkEditor } from './editor-sdk.ts';
import { readLogs, readStored } from './log.ts';
import type { NodeProcess } from './node-process.ts';
import { type Random, seededRandom } from './random-edits.ts';
import type { Violation } from './records.ts';

export interface CrashOptions {
  readonly node: NodeProcess;
  /** Kills. They alternate: the node, its postmaster, both at once. */
  readonly rounds: number;
  /** Load before each kill, and after the last. */
  readonly secondsPerRound: number;
  readonly seed: number;
  readonly onRound?: (line: string) => void;
}

export interface CrashResult {
  readonly violations: readonly Violation[];
  readonly acknowledged: number;
  readonly committed: number;
  readonly rejected: number;
  /** Submits that were sent more than once. */
  readonly resent: number;
  /** Per kill, milliseconds from it to the next commit that anyone saw. */
  readonly pausesMs: readonly number[];
}

const KINDS = ['rich-text', 'json', 'yjs'] as const;
const FAULTS = ['node', 'postmaster', 'node and postmaster'] as const;
/** A commit has to be seen again within this long; a start from a crash included. */
const RESUME_MS = 60_000;
const DRAIN_MS = 60_000;
const TICK_MS = 5;

/** Rejects when the node does not come back, or edits do not end. */
export async function crashRun(options: CrashOptions): Promise<CrashResult> {
  const { node, rounds, secondsPerRound, seed, onRound = () => undefined } = options;
  const load = new CrashLoad(node.socketUrl, seededRandom(seed));
  try {
    await load.start();
    const pausesMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await sleep(secondsPerRound * 1000);
      const fault = FAULTS[round % FAULTS.length] ?? 'node';
      const pause = await strike(node, fault, load);
      pausesMs.push(pause);
      onRound(
        `${round + 1}/${rounds}: killed ${fault}, first commit after ${Math.round(pause)} ms, ${load.committed} so far`,
      );
    }
    await sleep(secondsPerRound * 1000);
    await within(DRAIN_MS, 'edits did not end', load.stop());
    const logs = await readLogs({ url: node.socketUrl, random: Math.random }, load.docs);
    const complete = await readStored(await node.storageUrl(), logs);
    const records = load.records();
    const submits = records.flatMap((record) => [...record.submits.values()]);
    return {
      violations: check(complete, records),
      acknowledged: submits.filter((submit) => submit.fate.type === 'ok').length,
      rejected: submits.filter((submit) => submit.fate.type === 'rejected').length,
      committed: logs.reduce((sum, log) => sum + log.rows.length, 0),
      resent: submits.filter((submit) => submit.sends > 1).length,
      pausesMs,
    };
  } finally {
    load.close();
  }
}

async function strike(node: NodeProcess, fault: (typeof FAULTS)[number], load: CrashLoad): Promise<number> {
  const began = performance.now();
  if (fault !== 'postmaster') await node.kill();
  if (fault !== 'node') await node.killPostmaster();
  const before = load.committed;
  if (fault !== 'postmaster') await node.restart();
  while (load.committed === before) {
    if (performance.now() - began > RESUME_MS) {
      throw new Error(`no commit ${RESUME_MS} ms after killing ${fault}:\n${node.log.slice(-2000)}`);
    }
    if (!node.running) await node.restart();
    await sleep(TICK_MS);
  }
  return performance.now() - began;
}

/** Per document two bare clients, one in each subprotocol, and one SDK client; two documents of each kind. */
class CrashLoad {
  committed = 0;
  readonly docs: readonly string[];
  private readonly clients: BareClient[] = [];
  private readonly editors: BareEditor[] = [];
  private readonly sdkEditors: SdkEditor[] = [];

  constructor(url: string, random: Random) {
    const docs: string[] = [];
    for (const [index, kind] of [...KINDS, ...KINDS].entries()) {
      const doc = `crash/${kind}-${index}`;
      docs.push(doc);
      for (const encoding of ['json', 'msgpack'] as const) {
        const client = new BareClient({
          url,
          client: `bare-${encoding}-${index}`,
          encoding,
          random,
          backoffMostMs: 500,
        });
        this.clients.push(client);
        const pace =
          encoding === 'json' ? ({ type: 'closed' } as const) : ({ type: 'open', perSecond: 20 } as const);
        const onLatency = () => {
          this.committed += 1;
        };
        this.editors.push(new BareEditor({ client, doc, kind, random, pace, onLatency }));
      }
      const clientId = `sdk-client-${index}`;
      const pace = { type: 'open', perSecond: 20 } as const;
      this.sdkEditors.push(new SdkEditor({ urls: [url], clientId, doc, kind, random, pace }));
    }
    this.docs = docs;
  }

  async start(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.connect()));
    for (const editor of this.editors) editor.start();
    await Promise.all(this.sdkEditors.map((editor) => editor.start()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.editors, ...this.sdkEditors].map((editor) => editor.stop()));
    // Everyone sees the last of it.
    for (const { document } of this.editors) await document.opened();
  }

  records() {
    return [
      ...this.clients.flatMap((client) => client.recorder.records()),
      ...this.sdkEditors.flatMap((editor) => editor.records()),
    ];
  }

  close(): void {
    for (const client of this.clients) client.stop();
    for (const editor of this.sdkEditors) editor.close();
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
