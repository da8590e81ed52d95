// The presence run: many readers of one document, each with a presence that moves once a second, while
// bystanders edit documents of their own on the same node. It owns the verdict: every state reaches every
// other reader, and no bystander notices.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Bystanders } from '../clients/bystanders.ts';
import { seededRandom } from '../clients/random-edits.ts';
import { lasted } from '../command-line/command.ts';
import { type Summary, summarize } from '../statistics.ts';
import { answerOf } from './answer-of.ts';
import type { PresenceOrder, PresenceReport } from './presence-process.ts';
import { PRESENCE_WIRES, type PresenceWireName } from './presence-wire.ts';

export interface PresenceOptions {
  readonly url: string;
  readonly wire: PresenceWireName;
  readonly readers: number;
  readonly seconds: number;
  readonly seed: number;
  /** Aborted: the run ends early, and judges what there was. */
  readonly signal?: AbortSignal;
}

export interface PresenceResult {
  readonly sent: number;
  readonly received: number;
  readonly frames: number;
  readonly bytes: number;
  /** Time from a state's sending to its arrival at a reader, ms. */
  readonly delivery: Summary;
  /** Time from edit to commit of the bystanders while the readers move, ms. */
  readonly bystanders: Summary;
  readonly faults: readonly string[];
}

/** A reader that parses every frame costs the run's own processor. */
const WITNESSES = 8;

export async function presenceRun(options: PresenceOptions): Promise<PresenceResult> {
  const { url, wire, readers, seconds, seed, signal = new AbortController().signal } = options;
  const bystanders = new Bystanders(url, `bystanders-${seed}`, seededRandom(seed));
  const child = fork(fileURLToPath(new URL('./presence-process.js', import.meta.url)), { detached: true });
  try {
    const doc = `presence/all-${seed}`;
    const order: PresenceOrder = { url, doc, wire, readers, witnesses: Math.min(WITNESSES, readers) };
    await answerOf(child, order);
    await bystanders.start();
    bystanders.latencies.length = 0;
    child.send('begin');
    const began = performance.now();
    await lasted(1000 * seconds, signal);
    const passed = (performance.now() - began) / 1000;
    const latencies = bystanders.latencies.slice();
    const report = (await answerOf(child, 'end')) as PresenceReport;
    await bystanders.stop();
    const faults = [...report.faults, ...(await bystanders.faults())];
    const { sent, received, frames, bytes } = report;
    const due = sent * (PRESENCE_WIRES[wire].hasOwn ? readers : readers - 1);
    if (received !== due) faults.push(`readers got ${received} states, ${due} were due`);
    if (sent < (readers * (passed - 1)) / 2 || sent === 0) faults.push('the readers moved too little');
    const delivery = summarize(report.latencies);
    return { sent, received, frames, bytes, delivery, bystanders: summarize(latencies), faults };
  } finally {
    child.kill('SIGKILL');
    bystanders.close();
  }
}
