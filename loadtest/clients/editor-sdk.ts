// A virtual editor on the SDK: edits the optimistic view of a document, with the SDK's own queueing,
// composing and resending behind it. Every frame goes through a tap into a recorder, and at the end
// the view itself is one more replica to check.
import * as Y from 'yjs';
import type { JsonStep } from '../../client/api.ts';
import { TroupeClient } from '../../client/client.ts';
import { parseJson } from '../../protocol/json-text.ts';
import type { KindName, Wire } from '../../protocol/messages.ts';
import { type DocumentRecord, Recorder } from '../checker/records.ts';
import type { Replica } from '../checker/replica.ts';
import { type Tap, tap } from '../checker/tap.ts';
import { type Pace, untilNextEdit } from './pace.ts';
import { editSource, editText, type Random } from './random-edits.ts';

export interface SdkEditorOptions {
  /** `ws://…/v1/socket` of every node. */
  readonly urls: readonly string[];
  readonly clientId: string;
  readonly doc: string;
  readonly kind: KindName;
  readonly random: Random;
  readonly pace: Pace;
}

/**
 * The common interface of the SDK's documents of all three kinds: the view in wire form, and a random edit.
 */
interface View {
  readonly document: {
    readonly ready: Promise<void>;
    readonly pending: boolean;
    readonly version: number;
    on(name: 'state', listener: () => void): () => void;
  };
  content(): Wire;
  edit(): void;
}

export class SdkEditor {
  /** Edits made, and edits that the SDK could not take or that were refused later. */
  readonly counts = { made: 0, refused: 0 };
  readonly #options: SdkEditorOptions;
  readonly #recorder: Recorder;
  readonly #tap: Tap;
  readonly #client: TroupeClient;
  readonly #view: View;
  #running = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SdkEditorOptions) {
    this.#options = options;
    this.#recorder = new Recorder(options.clientId, { replicas: true, now: () => performance.now() });
    this.#tap = tap(this.#recorder);
    this.#client = new TroupeClient({
      urls: options.urls,
      clientId: options.clientId,
      webSocket: this.#tap.webSocket,
    });
    this.#view = this.#open();
  }

  /** Begins to edit once the document is ready. */
  async start(): Promise<void> {
    await this.#view.document.ready;
    this.#running = true;
    this.#next();
  }

  /** Cuts the connection; the SDK comes back by itself. */
  drop(): void {
    this.#tap.drop();
  }

  /** Makes no more edits; fulfilled when the SDK reports that all are saved. */
  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    const { document } = this.#view;
    if (!document.pending) return;
    await new Promise<void>((resolve) => {
      const off = document.on('state', () => {
        if (document.pending) return;
        off();
        resolve();
      });
    });
  }

  close(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#client.close();
  }

  /** The frames on the wire, and the view as a replica of its own. Call only when no edit is pending. */
  records(): DocumentRecord[] {
    const records = this.#recorder.records();
    const history = records.at(-1)?.streams.at(-1)?.history ?? '';
    const { doc, kind, clientId } = this.#options;
    const { version } = this.#view.document;
    const replica = { history, kind, version, content: this.#view.content() };
    return [
      ...records,
      { doc, client: `${clientId} (view)`, submits: new Map(), streams: [], violations: [], replica },
    ];
  }

  #next(): void {
    if (!this.#running) return;
    const { pace, random } = this.#options;
    if (pace.type !== 'closed') {
      this.#timer = setTimeout(
        () => {
          this.#edit();
          this.#next();
        },
        untilNextEdit(pace, random),
      );
      return;
    }
    this.#edit();
    const { document } = this.#view;
    const off = document.on('state', () => {
      if (document.pending) return;
      off();
      this.#timer = setTimeout(() => this.#next(), 0);
    });
  }

  #edit(): void {
    try {
      this.#view.edit();
      this.counts.made += 1;
    } catch {
      this.counts.refused += 1;
    }
  }

  #open(): View {
    const client = this.#client;
    const options = this.#options;
    const { doc, kind, random } = options;
    const source = editSource(kind, random);
    const refused = () => {
      this.counts.refused += 1;
    };
    switch (kind) {
      case 'rich-text': {
        const document = client.open(doc, kind);
        document.on('rejected', refused);
        const content = () => plain(document.content.ops);
        const edit = () => {
          const view = viewOf(kind, document.version, content);
          source.reset(view);
          document.edit(source.next(view) as typeof document.content.ops);
        };
        return { document, content, edit };
      }
      case 'json': {
        const document = client.open(doc, kind);
        document.on('rejected', refused);
        const content = () => document.content;
        const edit = () => document.edit(source.next(viewOf(kind, document.version, content)) as JsonStep[]);
        return { document, content, edit };
      }
      case 'yjs': {
        const document = client.open(doc, kind);
        document.on('rejected', refused);
        return {
          document,
          content: () => Y.encodeStateAsUpdate(document.content),
          edit: () => editText(document.content, random),
        };
      }
    }
  }
}

/** A view in the form that an edit source reads. */
function viewOf(kind: KindName, version: number, content: () => Wire): Replica {
  return { kind, version, content, apply: () => undefined };
}

const plain = (ops: unknown): Wire => parseJson(JSON.stringify(ops)) as Wire;
