// Random histories. Clients edit, undo, go away and come back while every kind of failure happens; then the
// checks run when all has calmed down. A seed determines its history.
import assert from 'node:assert/strict';
import * as Y from 'yjs';
import {
  type JsonDocument,
  type KindName,
  type RichTextDocument,
  TroupeClient,
  type YjsDocument,
} from '../../client/index.ts';
import { toDelta } from '../../client/ot/rich-text-algebra.ts';
import { type JsonState, jsonKind } from '../../kinds/json/json.ts';
import { equal } from '../../kinds/json/value.ts';
import { wireBytes } from '../../protocol/codec.ts';
import type { Json, Wire } from '../../protocol/messages.ts';
import { type Faults, NO_FAULTS, type SimulatedDocument, SimulatedServer } from './simulated-server.ts';
import { seeded, VirtualTime } from './virtual-time.ts';

export interface HistoryOptions {
  readonly kind: KindName;
  readonly seed: number;
  readonly clients?: number;
  readonly steps?: number;
  readonly faults?: Partial<Faults>;
  /** Edits only add, and each adds a mark of its own, so the log shows the fate of each edit. */
  readonly audit?: boolean;
  /** The document is rewound to an earlier version at random times. */
  readonly rewinds?: boolean;
  /** The history is trimmed, and with it the server's memory of clients that are away. */
  readonly trims?: boolean;
}

export const ROUGH: Partial<Faults> = {
  latencyMs: [1, 80],
  drop: 0.01,
  openError: 0.08,
  reject: 0.02,
  openFails: 0.05,
  snapshot: 0.3,
};

type AnyDocument = RichTextDocument | JsonDocument | YjsDocument;
const NAME = 'acme/plan';
/** A mark is one UTF-16 unit, so no other edit can split it. */
const FIRST_MARK = 0xe000;
const MARKS_EACH = 1000;

/** Runs one history and asserts its properties. Returns counts of its events. */
export function runHistory(options: HistoryOptions): { edits: number; versions: number; rejected: number } {
  const random = seeded(options.seed);
  const time = new VirtualTime();
  const server = new SimulatedServer(time, random);
  server.faults = { ...NO_FAULTS, ...options.faults };
  // A refused Yjs update ends its document: see refusals in yjs-document.test.ts.
  if (options.kind === 'yjs') server.faults.reject = 0;
  const editors = Array.from(
    { length: options.clients ?? 3 },
    (_, i) => new Editor(i, options, server, random),
  );

  for (let step = 0; step < (options.steps ?? 60); step++) {
    const editor = editors[Math.floor(random() * editors.length)];
    editor?.act();
    if (random() < 0.02) server.dropAll(1012);
    if (options.rewinds && random() < 0.03) {
      const head = server.documents.get(NAME)?.log.length ?? 0;
      server.rewind(NAME, Math.floor(random() * (head + 1)));
    }
    if (options.trims && random() < 0.05) trim(server.documents.get(NAME), random);
    time.advance(random() < 0.1 ? random() * 3_000 : random() * 60);
  }

  server.faults = { ...NO_FAULTS };
  for (const editor of editors) editor.client.goOnline();
  time.advance(120_000);
  const document = server.documents.get(NAME);
  assert.ok(document !== undefined);
  for (const editor of editors) editor.assertSettled(document);
  for (const editor of editors) editor.client.close();
  return {
    edits: editors.reduce((sum, editor) => sum + editor.edits, 0),
    versions: document.log.length,
    rejected: editors.reduce((sum, editor) => sum + editor.rejections, 0),
  };
}

/** Forgets the older half of the history, and every client's seqs, as a server may after a day. */
function trim(document: SimulatedDocument | undefined, random: () => number): void {
  if (document === undefined) return;
  const from = Math.floor(document.log.length * (0.5 + random() / 2));
  document.trimmed = Math.max(document.trimmed, from);
  for (const client of [...document.seqs.keys()]) {
    const last = document.highest.get(client) ?? 0;
    const lastVersion = document.seqs.get(client)?.get(last) ?? 0;
    const away = ![...document.subscribers.keys()].some((socket) => socket.client === client);
    if (away && lastVersion <= document.trimmed) {
      document.seqs.delete(client);
      document.highest.delete(client);
    }
  }
}

class Editor {
  readonly client: TroupeClient;
  edits = 0;
  rejections = 0;
  readonly #doc: AnyDocument;
  readonly #options: HistoryOptions;
  readonly #server: SimulatedServer;
  readonly #random: () => number;
  readonly #number: number;
  /** Marks of this editor that it believes are, or will be, in the document. */
  readonly #marks = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #unknown = new Set<string>();
  #mirror: Mirror | undefined;
  #problem: unknown;

  constructor(number: number, options: HistoryOptions, server: SimulatedServer, random: () => number) {
    this.#number = number;
    this.#options = options;
    this.#server = server;
    this.#random = random;
    this.client = new TroupeClient({
      urls: ['ws://one/v1/socket', 'ws://two/v1/socket'],
      webSocket: server.webSocket,
      platform: server.time.platform(random),
      encoding: number % 2 === 0 ? 'json' : 'msgpack',
    });
    this.#doc = this.client.open(NAME, options.kind);
    this.#listen();
  }

  act(): void {
    if (this.#problem !== undefined) throw this.#problem;
    const dice = this.#random();
    if (dice < 0.04) this.client.goOffline();
    else if (dice < 0.12) this.client.goOnline();
    else if (!this.#options.audit && dice < 0.2) this.#guarded(() => this.#doc.undo());
    else if (!this.#options.audit && dice < 0.25) this.#guarded(() => this.#doc.redo());
    else if (dice < 0.3) this.#doc.undoGroup();
    else if (dice < 0.35) this.#doc.presence.set({ name: `editor ${this.#number}` });
    else this.#guarded(() => this.#edit());
  }

  assertSettled(document: SimulatedDocument): void {
    if (this.#problem !== undefined) throw this.#problem;
    const doc = this.#doc;
    assert.ok(doc.state === 'saved' || doc.state === 'live', `settles, is ${doc.state}`);
    assert.equal(doc.pending, false);
    assert.equal(doc.version, document.log.length);
    this.#assertContent(document.engine.snapshot());
    if (this.#options.audit && !this.#options.rewinds) this.#assertMarks(document, true);
  }

  #guarded(edit: () => unknown): void {
    if (this.#doc.version === 0 && this.#doc.role === undefined) return;
    edit();
  }

  /** An exception in a listener would not fail the history by itself, so it is kept. */
  #noting(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#problem ??= error;
    }
  }

  #listen(): void {
    const doc = this.#doc;
    const follow = (origin: string, change: unknown) => {
      this.#noting(() => {
        this.#mirror?.follow(change);
        this.#mirror?.assertEquals(doc.content, origin);
      });
    };
    const began = () => {
      this.#mirror ??= mirrorOf(doc);
    };
    doc.on('state', (state) => {
      if (state !== 'offline' && state !== 'connecting') began();
      if (state === 'saved' && this.#options.audit && !this.#options.rewinds) {
        const document = this.#server.documents.get(NAME);
        if (document !== undefined) this.#noting(() => this.#assertMarks(document, false));
      }
    });
    switch (doc.kind) {
      case 'rich-text':
        doc.on('change', (change) => follow(change.origin, change.delta));
        doc.on('rejected', ({ patch, outcome }) => this.#rejected(JSON.stringify(patch.ops), outcome));
        break;
      case 'json':
        doc.on('change', (change) => follow(change.origin, change.patch));
        doc.on('rejected', ({ patch, outcome }) => this.#rejected(JSON.stringify(patch), outcome));
        break;
      case 'yjs':
        doc.on('rejected', ({ patch, outcome }) => this.#rejected(yjsText(patch), outcome));
    }
  }

  #rejected(text: string, outcome: 'not-committed' | 'unknown'): void {
    this.rejections++;
    for (const mark of this.#marks) {
      if (!text.includes(mark)) continue;
      this.#marks.delete(mark);
      (outcome === 'unknown' ? this.#unknown : this.#refused).add(mark);
    }
  }

  /** Each mark that was not reported lost is in the log once. No refused mark is in the log. */
  #assertMarks(document: SimulatedDocument, settled: boolean): void {
    const texts = document.log
      .filter((entry) => entry.client === this.client.id)
      .map((entry) => (this.#options.kind === 'yjs' ? yjsText(entry.op) : JSON.stringify(entry.op)));
    const count = (mark: string) => texts.filter((text) => text.includes(mark)).length;
    // A Yjs update that the server has forgotten is sent again. Applied twice, it has effect once.
    const again = this.#options.kind === 'yjs' && this.#options.trims === true;
    for (const mark of this.#marks) {
      const times = count(mark);
      assert.ok(again ? times >= 1 : times === 1, `${mark} was saved, and is in the log ${times} times`);
    }
    if (!settled) return;
    for (const mark of this.#refused) assert.equal(count(mark), 0, `${mark} was refused`);
    for (const mark of this.#unknown) assert.ok(count(mark) <= 1, `${mark} is unknown`);
  }

  #assertContent(snapshot: Wire): void {
    const doc = this.#doc;
    switch (doc.kind) {
      case 'rich-text':
        assert.deepEqual(doc.content.ops, snapshot);
        break;
      case 'json':
        assert.ok(equal(doc.content, snapshot as Json), JSON.stringify([doc.content, snapshot]));
        break;
      case 'yjs': {
        const expected = new Y.Doc();
        Y.applyUpdate(expected, wireBytes(snapshot) ?? new Uint8Array());
        assert.equal(doc.content.getText('text').toString(), expected.getText('text').toString());
        assert.deepEqual(doc.content.getMap('map').toJSON(), expected.getMap('map').toJSON());
      }
    }
  }

  // ---- edits

  #edit(): void {
    const mark = String.fromCharCode(FIRST_MARK + this.#number * MARKS_EACH + this.edits++);
    const doc = this.#doc;
    const apply = () => {
      switch (doc.kind) {
        case 'rich-text':
          doc.edit(this.#richText(doc, mark));
          break;
        case 'json':
          doc.edit(this.#json(doc, mark));
          break;
        case 'yjs':
          this.#yjs(doc, mark);
      }
    };
    this.#marks.add(mark);
    apply();
  }

  #richText(doc: RichTextDocument, mark: string) {
    const text = textOf(doc.content);
    const { length } = text;
    const at = wholeCharacter(text, Math.floor(this.#random() * (length + (this.#options.audit ? 0 : 1))));
    const retain = at > 0 ? [{ retain: at }] : [];
    const dice = this.#random();
    if (this.#options.audit || dice < 0.3) return [...retain, { insert: mark }];
    if (dice < 0.5) {
      const characters = CHARACTERS[Math.floor(this.#random() * CHARACTERS.length)] ?? mark;
      return [...retain, { insert: characters }];
    }
    if (dice < 0.6) return [...retain, { insert: { image: mark } }];
    const rest = length - at;
    if (rest === 0) return [...retain, { insert: `${mark}\n` }];
    const span = wholeCharacter(text, at + 1 + Math.floor(this.#random() * Math.min(rest, 12))) - at;
    if (dice < 0.8) return [...retain, { delete: span }];
    const attributes = dice < 0.9 ? { bold: dice < 0.85 ? true : null } : { color: mark };
    return [...retain, { retain: span, attributes }];
  }

  #json(doc: JsonDocument, mark: string): Parameters<JsonDocument['edit']>[0] {
    const content = doc.content as Record<string, Json>;
    if (this.#options.audit) return [{ op: 'add', path: `/${mark}`, value: this.#number }];
    const keys = ['a', 'b', 'c', 'list'];
    const key = keys[Math.floor(this.#random() * keys.length)] ?? 'a';
    const dice = this.#random();
    const list = content.list;
    if (key === 'list') {
      if (!Array.isArray(list)) return [{ op: 'add', path: '/list', value: [mark] }];
      const at = Math.floor(this.#random() * list.length);
      if (dice < 0.35 || list.length === 0) return [{ op: 'add', path: `/list/${at}`, value: mark }];
      if (dice < 0.45) return [{ op: 'add', path: '/list/-', value: { text: mark } }];
      if (dice < 0.65) return [{ op: 'remove', path: `/list/${at}` }];
      if (dice < 0.8) return [{ op: 'replace', path: `/list/${at}`, value: mark }];
      const to = Math.floor(this.#random() * list.length);
      if (dice < 0.9) return [{ op: 'move', from: `/list/${at}`, path: `/list/${to}` }];
      return [{ op: 'copy', from: `/list/${at}`, path: `/a` }];
    }
    const value = content[key];
    if (value === undefined) return [{ op: 'add', path: `/${key}`, value: { deep: mark } }];
    if (dice < 0.2) return [{ op: 'remove', path: `/${key}` }];
    if (dice < 0.3) {
      return [
        { op: 'test', path: `/${key}`, value },
        { op: 'replace', path: `/${key}`, value: mark },
      ];
    }
    if (dice < 0.6 && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return [{ op: 'add', path: `/${key}/${mark}`, value: mark }];
    }
    if (dice < 0.7) return [{ op: 'move', from: `/${key}`, path: '/moved' }];
    return [{ op: 'replace', path: `/${key}`, value: { deep: mark } }];
  }

  #yjs(doc: YjsDocument, mark: string): void {
    const text = doc.content.getText('text');
    if (!this.#options.audit && this.#random() < 0.3 && text.length > 0) {
      const at = Math.floor(this.#random() * text.length);
      text.delete(at, Math.min(text.length - at, 5));
      return;
    }
    if (!this.#options.audit && this.#random() < 0.3) {
      doc.content.getMap('map').set('key', mark);
      return;
    }
    text.insert(Math.floor(this.#random() * (text.length + 1)), mark);
  }
}

/** Characters that share a half, combining marks, joined characters. */
const CHARACTERS = ['😀', '😁', '😀😀', '𝒳', 'e\u0301', '👨‍👩‍👧', '🇩🇪'];

const textOf = (content: RichTextDocument['content']): string =>
  content.ops.map(({ insert }) => (typeof insert === 'string' ? insert : '\uFFFC')).join('');

/** The position, or the next one if it lies between the halves of a surrogate pair. */
const wholeCharacter = (text: string, at: number): number => {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff ? at + 1 : at;
};

/** A Yjs update as text, in which marks are searched. */
function yjsText(update: unknown): string {
  const bytes = wireBytes(update);
  return bytes === undefined ? '' : new TextDecoder().decode(bytes);
}

/** An application's own copy, kept by change events alone. */
interface Mirror {
  follow(change: unknown): void;
  assertEquals(content: unknown, origin: string): void;
}

function mirrorOf(doc: AnyDocument): Mirror {
  switch (doc.kind) {
    case 'rich-text': {
      let copy = toDelta(doc.content.ops as Wire);
      return {
        follow: (change) => {
          copy = copy.compose(change as typeof copy);
        },
        assertEquals: (content, origin) => assert.deepEqual(copy.ops, (content as typeof copy).ops, origin),
      };
    }
    case 'json': {
      const copy: JsonState = jsonKind.load(doc.content);
      return {
        follow: (change) => {
          const parsed = jsonKind.parse(change, { depth: 1000 });
          assert.ok(parsed.ok, JSON.stringify(parsed));
          const applied = jsonKind.apply(copy, parsed.value);
          assert.ok(applied.ok, JSON.stringify(applied));
        },
        assertEquals: (content, origin) => {
          const followed = jsonKind.snapshot(copy) as Json;
          assert.ok(equal(followed, content as Json), `${origin}: ${JSON.stringify([followed, content])}`);
        },
      };
    }
    case 'yjs':
      return { follow: () => {}, assertEquals: () => {} };
  }
}
