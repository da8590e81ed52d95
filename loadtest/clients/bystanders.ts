// Well-behaved clients beside an attack: they edit one document of each kind, in both encodings, at a steady
// rate, and must not notice the attack. Owns their edits, their latencies and the check of all promises made
// to them.

import { check } from '../checker/checker.ts';
import { readLogs } from '../checker/log.ts';
import type { Violation } from '../checker/records.ts';
import { BareClient } from './bare-client.ts';
import { BareEditor } from './editor.ts';
import type { Random } from './random-edits.ts';

/** Six editors on three documents, ten edits a second each. */
export class Bystanders {
  /** Time from edit to commit, ms. */
  readonly latencies: number[] = [];
  readonly docs: string[] = [];
  readonly #url: string;
  readonly #token: string | undefined;
  readonly #clients: BareClient[] = [];
  readonly #editors: BareEditor[] = [];

  /** `token`: of a user who may create and edit documents of the organisation, for a server that demands one. */
  constructor(url: string, org: string, random: Random, token?: string) {
    this.#url = url;
    this.#token = token;
    for (const [index, kind] of (['json', 'rich-text', 'yjs'] as const).entries()) {
      const doc = `${org}/bystander-${kind}-${Math.floor(random() * 1e9)}`;
      this.docs.push(doc);
      for (const encoding of ['json', 'msgpack'] as const) {
        const name = `bystander-${encoding}-${index}`;
        const client = new BareClient({ url, client: name, encoding, random, ...tokenOf(token) });
        const pace = { type: 'open', perSecond: 10 } as const;
        const onLatency = (ms: number) => this.latencies.push(ms);
        this.#clients.push(client);
        this.#editors.push(new BareEditor({ client, doc, kind, random, pace, onLatency }));
      }
    }
  }

  async start(): Promise<void> {
    for (const client of this.#clients) await client.connect();
    for (const editor of this.#editors) {
      await editor.document.opened();
      editor.start();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#editors.map((editor) => editor.stop()));
  }

  /** Lost connections, errors, broken promises. Empty if no bystander noticed the attack. */
  async faults(): Promise<string[]> {
    const faults: string[] = [];
    for (const { losses, errors, options } of this.#clients) {
      for (const [loss, times] of losses) faults.push(`${options.client}: ${loss}, ${times} times`);
      for (const [code, times] of errors) faults.push(`${options.client} was told ${code}, ${times} times`);
    }
    const logs = await readLogs({ url: this.#url, random: Math.random, ...tokenOf(this.#token) }, this.docs);
    const records = this.#clients.flatMap((client) => client.recorder.records());
    const own = new Set(this.#clients.map(({ options }) => options.client));
    for (const { doc, rows } of logs)
      for (const { client, version } of rows)
        if (!own.has(client)) faults.push(`${doc}: version ${version} is a patch of ${client}, a stranger`);
    return [...faults, ...check(logs, records).map(toldViolation)];
  }

  close(): void {
    for (const editor of this.#editors) editor.close();
    for (const client of this.#clients) client.stop();
  }
}

const tokenOf = (token: string | undefined): { readonly token?: string } =>
  token === undefined ? {} : { token };

const toldViolation = ({ rule, doc, client, detail }: Violation) =>
  `${rule} ${doc} ${client ?? ''}: ${detail}`;
