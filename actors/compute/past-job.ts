// Heavy work on a document's past: its content at a version, who wrote it, and the patches that restore or revert.
// It reads committed rows only, through its store, page after page, so its memory is bounded by the document and
// not by the log. It runs beside the threads that serve edits.
import {
  type AuthorsByPointer,
  authoredValues,
  foldJsonAuthor,
  type JsonAuthors,
  unknownValue,
} from '../../kinds/history/json-authors.ts';
import { restoreJson, restoreText, restoreYjs } from '../../kinds/history/restore.ts';
import { type Revert, revertOfJson, revertOfText } from '../../kinds/history/revert.ts';
import {
  type AuthoredInsert,
  authoredText,
  foldTextAuthor,
  foldTextLengths,
  type RichTextAuthors,
  unknownText,
} from '../../kinds/history/rich-text-authors.ts';
import { jsonKind } from '../../kinds/json/json.ts';
import { placesOf } from '../../kinds/json/places.ts';
import type { DocumentKind } from '../../kinds/kind.ts';
import { kindOf } from '../../kinds/registry.ts';
import { type Delta, type Runs, richTextKind } from '../../kinds/rich-text/rich-text.ts';
import { readStepLengths } from '../../kinds/rich-text/step-lengths.ts';
import { parseJson } from '../../protocol/json-text.ts';
import type { KindName, Wire } from '../../protocol/messages.ts';
import { type AnyKind, atOnce, fromStored, NOTE, stateOf, storedSnapshot } from '../document/entry.ts';
import type { PastPatch, PastStore, SeenDocument } from '../storage/past-store.ts';
import { jsonAuthorsForm, readJsonAuthors, readTextAuthors, textAuthorsForm } from './authors-form.ts';

export interface PastOf {
  readonly document: SeenDocument;
  readonly kind: KindName;
  readonly history: string;
  readonly folded: number;
}

export type PastJob = PastOf &
  (
    | { readonly type: 'content'; readonly version: number }
    /** `keepEvery`: the number of patches after which the authors are kept for later jobs. */
    | { readonly type: 'authors'; readonly version: number; readonly keepEvery?: number }
    /** Keeps the authors for later jobs, without an answer. */
    | { readonly type: 'keep-authors'; readonly version: number }
    /** The patch on `head` that brings the content of `version` back. */
    | { readonly type: 'restore'; readonly version: number; readonly head: number; readonly clientId: number }
    /** The patch on `head` that takes back the patches `from` to `to`, of `user` if there is one. */
    | {
        readonly type: 'revert';
        readonly from: number;
        readonly to: number;
        readonly user?: string;
        readonly head: number;
      }
  );

/**
 * `bytes`: the content in the form of a snapshot, the answer of `authors` as JSON text, or a patch as JSON text or
 * as a yjs update. A patch that would change nothing is empty: no bytes. So is the outcome of `keep-authors`.
 */
export type PastOutcome =
  | { readonly ok: true; readonly bytes: Uint8Array<ArrayBuffer> }
  | {
      readonly ok: false;
      readonly code: 'version-too-old' | 'wrong-kind' | 'conflict';
      readonly message: string;
    };

export async function doPastJob(store: PastStore, job: PastJob): Promise<PastOutcome> {
  try {
    const bytes = await bytesOf(store, job);
    return bytes instanceof Uint8Array ? { ok: true, bytes: new Uint8Array(bytes) } : bytes;
  } catch (error) {
    if (error instanceof Gone) return { ok: false, code: 'version-too-old', message: error.message };
    throw error;
  }
}

type Refusal = Extract<PastOutcome, { ok: false }>;

async function bytesOf(store: PastStore, job: PastJob): Promise<Uint8Array | Refusal> {
  const kind: AnyKind = kindOf(job.kind);
  switch (job.type) {
    case 'content':
      return storedSnapshot(kind, await stateAt(store, job, kind, job.version));
    case 'authors':
      return authorsOf(store, job);
    case 'keep-authors':
      if (job.kind === 'yjs') return wrongKind(NO_AUTHORS);
      await (job.kind === 'json' ? foldedJson(store, job) : foldedText(store, job));
      return new Uint8Array();
    case 'restore':
      return restored(store, job, kind);
    case 'revert':
      if (job.kind === 'json') return reverted(store, job, jsonKind, revertOfJson());
      if (job.kind === 'rich-text') return reverted(store, job, richTextKind, revertOfText());
      return wrongKind('a yjs document has no reverts: its updates do not say what they undo');
    default:
      throw new Error(`unknown job ${String(job satisfies never)}`);
  }
}

const wrongKind = (message: string): Refusal => ({ ok: false, code: 'wrong-kind', message });

/** The version is no longer kept. */
class Gone extends Error {
  override name = 'Gone';
}

const PAGE = { limit: 10_000, maxBytes: 2 * 1024 * 1024 };

/** The log in (after, upTo]. The next page is read while one is worked on. */
async function* pages(
  store: PastStore,
  document: SeenDocument,
  after: number,
  upTo: number,
): AsyncGenerator<readonly PastPatch[]> {
  let read = after;
  let next = after < upTo ? store.patches(document, after, upTo, PAGE) : undefined;
  while (next !== undefined) {
    const page = await next;
    const last = page.at(-1);
    if (last === undefined || page[0]?.version !== read + 1)
      throw new Gone(`version ${read + 1} is before the kept history`);
    read = last.version;
    next = read < upTo ? store.patches(document, read, upTo, PAGE) : undefined;
    // A failure is reported when the page is asked for.
    next?.catch(() => undefined);
    yield page;
  }
}

async function stateAt(
  store: PastStore,
  { document }: PastOf,
  kind: AnyKind,
  version: number,
): Promise<unknown> {
  const base = await store.snapshot(document, version);
  if (base === undefined) throw new Gone(`version ${version} is before the kept history`);
  const state = atOnce(stateOf(kind, base.state));
  for await (const page of pages(store, document, base.version, version)) {
    for (const { version: at, op } of page) {
      const applied = kind.apply(state, fromStored(kind, op));
      if (!applied.ok) throw new Error(`version ${at} does not apply: ${applied.message}`);
    }
  }
  return state;
}

async function restored(
  store: PastStore,
  job: Extract<PastJob, { type: 'restore' }>,
  kind: AnyKind,
): Promise<Uint8Array> {
  const then = kind.snapshot(await stateAt(store, job, kind, job.version));
  const now = kind.snapshot(await stateAt(store, job, kind, job.head));
  if (then instanceof Uint8Array && now instanceof Uint8Array) {
    const update = restoreYjs(then, [now], job.clientId);
    return update.length === 2 ? new Uint8Array() : update;
  }
  return jsonBytes(job.kind === 'json' ? restoreJson(now, then) : restoreText(now, then));
}

const jsonBytes = (patch: Wire): Uint8Array =>
  Array.isArray(patch) && patch.length === 0 ? new Uint8Array() : Buffer.from(JSON.stringify(patch), 'utf8');

const UNLIMITED = {
  documentBytes: Number.POSITIVE_INFINITY,
  depth: Number.POSITIVE_INFINITY,
  workMs: Number.POSITIVE_INFINITY,
};

async function reverted<State, Op, Undo>(
  store: PastStore,
  job: Extract<PastJob, { type: 'revert' }>,
  kind: DocumentKind<State, Op, Undo>,
  revert: Revert<State, Op>,
): Promise<Uint8Array | Refusal> {
  const { document, from, to, user, head } = job;
  const base = await store.snapshot(document, from - 1);
  if (base === undefined) throw new Gone(`version ${from - 1} is before the kept history`);
  const snapshot = base.state === undefined ? undefined : wireOfStored(base.state);
  const state = snapshot === undefined ? kind.create() : kind.load(snapshot);
  for await (const page of pages(store, document, base.version, head)) {
    for (const patch of page) {
      const op = opOfStored(kind, patch.op);
      const isChosen =
        patch.version >= from && patch.version <= to && (user === undefined || patch.user === user);
      if (isChosen) revert.takeBack(state, op);
      else revert.keep(state, op);
    }
  }
  const undo = revert.patchOn(state);
  const patch = kind.wire(undo);
  const sent = kind.parse(patch, UNLIMITED);
  const tried = sent.ok ? kind.commit(state, sent.value, [], UNLIMITED) : sent;
  if (!tried.ok)
    return { ok: false, code: 'conflict', message: `what was edited since is in the way: ${tried.message}` };
  return kind.isEmpty(undo) ? new Uint8Array() : jsonBytes(patch);
}

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');

const wireOfStored = (stored: Uint8Array): Wire => parseJson(textOf(stored)) as Wire;

function opOfStored<State, Op, Undo>(kind: DocumentKind<State, Op, Undo>, stored: Uint8Array): Op {
  const end = stored.indexOf(NOTE);
  const wire = wireOfStored(end < 0 ? stored : stored.subarray(0, end));
  return kind.recall(wire, end < 0 ? undefined : textOf(stored.subarray(end + 1)));
}

// ---- authors

const RICH_TEXT: AnyKind = richTextKind;

/** Authors are kept for later answers when this many patches or more had to be folded. */
const KEEP_AFTER = 2_000;
/** They are also kept each time that so many were folded, so that a job which takes too long leaves its next run less. */
const KEEP_EVERY = 250_000;

const NO_AUTHORS = 'who wrote what is known of json and rich-text documents only';

async function authorsOf(
  store: PastStore,
  job: Extract<PastJob, { type: 'authors' }>,
): Promise<Uint8Array | Refusal> {
  if (job.kind === 'yjs') return wrongKind(NO_AUTHORS);
  const answer = job.kind === 'json' ? await jsonAuthors(store, job) : await textAuthors(store, job);
  return Buffer.from(JSON.stringify(answer), 'utf8');
}

type AuthorsJob = Extract<PastJob, { type: 'authors' | 'keep-authors' }>;

/** How the authors of a kind are folded and stored. */
interface AuthorRules<Authors> {
  /** Those of a new document. */
  readonly none: () => Authors;
  /** Those of the document at the floor of its kept history, of which nothing is known. */
  readonly unknown: () => Authors | Promise<Authors>;
  /** Undefined if the authors have to be folded anew. */
  readonly read: (stored: Uint8Array) => Authors | undefined;
  readonly form: (authors: Authors) => Uint8Array;
  readonly fold: (authors: Authors, page: readonly PastPatch[]) => Authors;
}

async function foldedAuthors<Authors>(
  store: PastStore,
  job: AuthorsJob,
  rules: AuthorRules<Authors>,
): Promise<Authors> {
  const { document, history, folded, version } = job;
  const [keepAfter, keepEvery] =
    job.type === 'authors' ? [KEEP_AFTER, job.keepEvery ?? KEEP_EVERY] : [1, KEEP_EVERY];
  const stored = await store.authors(document, history, version);
  const known = stored && rules.read(stored.state);
  let kept = known === undefined ? 0 : (stored?.version ?? 0);
  let authors = known ?? rules.none();
  if (kept < folded) {
    kept = folded;
    authors = await rules.unknown();
  }
  for await (const page of pages(store, document, kept, version)) {
    authors = rules.fold(authors, page);
    const reached = page.at(-1)?.version ?? kept;
    if (reached - kept < (reached === version ? keepAfter : keepEvery)) continue;
    await store.keepAuthors(document.id, history, reached, rules.form(authors));
    kept = reached;
  }
  return authors;
}

async function textAuthors(store: PastStore, job: AuthorsJob): Promise<AuthoredInsert[]> {
  const authors = await foldedText(store, job);
  const content = (await stateAt(store, job, RICH_TEXT, job.version)) as Runs;
  return authoredText(content.toDelta(), authors);
}

const jsonAuthors = async (store: PastStore, job: AuthorsJob): Promise<AuthorsByPointer> =>
  authoredValues(await foldedJson(store, job));

const foldedText = (store: PastStore, job: AuthorsJob): Promise<RichTextAuthors> =>
  foldedAuthors(store, job, {
    none: () => unknownText(1),
    unknown: async () => {
      const floor = (await stateAt(store, job, RICH_TEXT, job.folded)) as Runs;
      return unknownText(floor.length);
    },
    read: readTextAuthors,
    form: textAuthorsForm,
    fold: (folded, page) => {
      const lengths: number[] = [];
      for (const { user, at, version, op } of page) {
        const count = readStepLengths(op, op.length, lengths);
        const author = { user, at, version };
        if (count >= 0) foldTextLengths(folded, lengths, count, author);
        else foldTextAuthor(folded, fromStored(RICH_TEXT, op) as Delta, author);
      }
      return folded;
    },
  });

const foldedJson = (store: PastStore, job: AuthorsJob): Promise<JsonAuthors> =>
  foldedAuthors(store, job, {
    none: unknownValue,
    unknown: unknownValue,
    read: readJsonAuthors,
    form: jsonAuthorsForm,
    fold: (before, page) => {
      const wires = opsOfPage<Wire>(page);
      let folded = before;
      for (const [i, { user, at, version, op }] of page.entries()) {
        const note = op.indexOf(NOTE);
        const steps = placesOf(wires[i] ?? [], note < 0 ? '' : textOf(op.subarray(note + 1)));
        folded = foldJsonAuthor(folded, { steps }, { user, at, version });
      }
      return folded;
    },
  });

const [COMMA, OPEN, CLOSE] = [0x2c, 0x5b, 0x5d];

/** The patches of a page, parsed as one JSON text: that takes half the time of parsing each alone. */
function opsOfPage<Op>(page: readonly PastPatch[]): readonly Op[] {
  const bytes = Buffer.allocUnsafe(page.reduce((sum, { op }) => sum + op.length + 1, 1));
  bytes[0] = OPEN;
  let at = 1;
  for (const { op } of page) {
    const note = op.indexOf(NOTE);
    const length = note < 0 ? op.length : note;
    bytes.set(op.subarray(0, length), at);
    at += length;
    bytes[at++] = COMMA;
  }
  bytes[at - 1] = CLOSE;
  return parseJson(bytes.toString('utf8', 0, at)) as readonly Op[];
}
