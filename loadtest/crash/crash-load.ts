// The load of a crash run. Per document two bare clients on the node itself, one in each subprotocol, and two
// clients whose line loses answers: a bare one that sends all unanswered submits again, and one on the SDK.
// There are two documents of each kind. Owns the clients; kills nothing and judges nothing.

import type { DocumentRecord } from '../checker/records.ts';
import { BareClient, type BareClientOptions } from '../clients/bare-client.ts';
import { BareEditor } from '../clients/editor.ts';
import { SdkEditor } from '../clients/editor-sdk.ts';
import type { Random } from '../clients/random-edits.ts';
import type { CuttingProxy } from './crash-proxy.ts';

const KINDS = ['rich-text', 'json', 'yjs'] as const;
const ENCODINGS = ['json', 'msgpack'] as const;
const PER_SECOND = 20;
const BACKOFF_MOST_MS = 500;

/**
 * Unanswered edits of each client after which its line has been hushed long enough: the first of them have
 * committed.
 */
const HUSHED_EDITS = 4;
/** Commits of the other clients meanwhile, per document: enough for a snapshot above the lost answers. */
const HUSHED_COMMITS = 40;
/** Longest wait for both counts. */
const HUSH_MOST_MS = 3000;
const TICK_MS = 5;

export interface LossyLines {
  /** The proxy for bare clients, which send all again. */
  readonly restless: CuttingProxy;
  /** The proxy for clients on the SDK. */
  readonly patient: CuttingProxy;
}

export class CrashLoad {
  /** Number of commits that the clients on the node itself received. */
  committed = 0;
  readonly docs: readonly string[];
  readonly #proxies: LossyLines;
  readonly #clients: BareClient[] = [];
  readonly #editors: BareEditor[] = [];
  readonly #forgetful: BareEditor[] = [];
  readonly #sdkEditors: SdkEditor[] = [];

  constructor(url: string, proxies: LossyLines, random: Random) {
    this.#proxies = proxies;
    const docs: string[] = [];
    for (const [index, kind] of [...KINDS, ...KINDS].entries()) {
      const doc = `crash/${kind}-${index}`;
      docs.push(doc);
      const open = { type: 'open', perSecond: PER_SECOND } as const;
      for (const encoding of ENCODINGS) {
        const client = this.#client({ url, client: `bare-${encoding}-${index}`, encoding, random });
        const pace = encoding === 'json' ? ({ type: 'closed' } as const) : open;
        const onLatency = () => {
          this.committed += 1;
        };
        this.#editors.push(new BareEditor({ client, doc, kind, random, pace, onLatency }));
      }
      const encoding = ENCODINGS[Math.floor(index / KINDS.length)] ?? 'json';
      const forgets = {
        url: proxies.restless.socketUrl,
        client: `forgets-${index}`,
        encoding,
        random,
        resume: false,
      };
      const client = this.#client(forgets);
      this.#forgetful.push(new BareEditor({ client, doc, kind, random, pace: open }));
      const clientId = `sdk-client-${index}`;
      const urls = [proxies.patient.socketUrl];
      this.#sdkEditors.push(new SdkEditor({ urls, clientId, doc, kind, random, pace: open }));
    }
    this.docs = docs;
  }

  async start(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.connect()));
    for (const editor of [...this.#editors, ...this.#forgetful]) editor.start();
    await Promise.all(this.#sdkEditors.map((editor) => editor.start()));
  }

  /**
   * Takes the answers away from the clients behind the proxy, until they have made edits that get no answer.
   */
  async hush(): Promise<void> {
    this.#proxies.restless.hush();
    this.#proxies.patient.hush();
    const committed = this.committed + HUSHED_COMMITS * this.docs.length;
    const latest = performance.now() + HUSH_MOST_MS;
    while (performance.now() < latest) {
      const made = this.#forgetful.every(({ document }) => document.outstanding >= HUSHED_EDITS);
      if (made && this.committed >= committed) return;
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }

  /**
   * Makes no more edits; fulfilled when all edits have an answer, and all clients have seen the last of them.
   */
  async stop(): Promise<void> {
    const bare = [...this.#editors, ...this.#forgetful];
    await Promise.all([...bare, ...this.#sdkEditors].map((editor) => editor.stop()));
    for (const { document } of bare) await document.opened();
  }

  records(): DocumentRecord[] {
    return [
      ...this.#clients.flatMap((client) => client.recorder.records()),
      ...this.#sdkEditors.flatMap((editor) => editor.records()),
    ];
  }

  close(): void {
    for (const editor of [...this.#editors, ...this.#forgetful]) editor.close();
    for (const client of this.#clients) client.stop();
    for (const editor of this.#sdkEditors) editor.close();
  }

  #client(options: BareClientOptions): BareClient {
    const client = new BareClient({ ...options, backoffMostMs: BACKOFF_MOST_MS });
    this.#clients.push(client);
    return client;
  }
}
