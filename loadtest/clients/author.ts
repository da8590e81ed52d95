// The author of one agent's edits in a replayed trace, for both kinds of text. An author turns a step of the
// plan into the patch to submit and the version it is made on, using only the commits that it was given. It
// never sends or waits, and does not choose the time.
import * as Y from 'yjs';
import { Delta } from '../../client/ot/delta.ts';
import type { Json, Wire } from '../../protocol/messages.ts';
import type { TracePatch } from '../replay/trace.ts';
import type { PlanStep } from '../replay/trace-plan.ts';
import { CodePointText } from './code-points.ts';

export interface AuthoredPatch {
  /** Left out for a kind that does not use it. */
  readonly base?: number;
  readonly op: Wire;
}

export interface Author {
  /** A committed patch of another author, in version order. */
  receive(step: PlanStep, op: Wire): void;
  /** Makes the step's edit. The author has received all commits of others below the step's version. */
  edit(step: PlanStep, patches: readonly TracePatch[]): AuthoredPatch;
  /** The text with all received and own edits. */
  text(): string;
}

/**
 * An optimistic client whose view runs behind what it has received: `unseen` holds the commits that its
 * author must not see yet. A patch is made on the view, and is sent on the lowest version whose whole history
 * the author had: the version it had seen, or its own latest if others committed in between. In that case it
 * is transformed past those commits here, as a client transforms its pending edits. The server transforms it
 * past the rest.
 */
export class RichTextAuthor implements Author {
  readonly #unseen: { readonly version: number; delta: Delta }[] = [];
  readonly #view = new CodePointText();
  #lastOwn = 0;

  receive(step: PlanStep, op: Wire): void {
    this.#unseen.push({ version: step.version, delta: new Delta(deltaOps(op)) });
  }

  edit(step: PlanStep, patches: readonly TracePatch[]): AuthoredPatch {
    this.#see(step.prefix);
    let delta = applyPatches(this.#view, patches);
    const base = Math.max(step.prefix, this.#lastOwn);
    let sent: Delta | undefined;
    for (const entry of this.#unseen) {
      if (sent === undefined && entry.version > base) sent = delta;
      const past = entry.delta;
      entry.delta = delta.transform(past, false);
      delta = past.transform(delta, true);
    }
    this.#lastOwn = step.version;
    return { base, op: deltaWire(sent ?? delta) };
  }

  text(): string {
    this.#see(Number.POSITIVE_INFINITY);
    return this.#view.toString();
  }

  #see(version: number): void {
    while (this.#unseen[0] !== undefined && this.#unseen[0].version <= version) {
      const entry = this.#unseen.shift();
      if (entry !== undefined) this.#view.applyDelta(entry.delta.ops);
    }
  }
}

/**
 * An author whose merges were done in advance (trace-merge.ts): each edit is made on the version before it.
 */
export class MergedRichTextAuthor implements Author {
  readonly #view = new CodePointText();
  readonly #onHead: readonly Delta[];

  constructor(onHead: readonly Delta[]) {
    this.#onHead = onHead;
  }

  receive(_step: PlanStep, op: Wire): void {
    this.#view.applyDelta(deltaOps(op));
  }

  edit(step: PlanStep): AuthoredPatch {
    const delta = this.#onHead[step.version - 1];
    if (delta === undefined) throw new RangeError(`no merged patch for version ${step.version}`);
    this.#view.applyDelta(delta.ops);
    return { base: step.version - 1, op: deltaWire(delta) };
  }

  text(): string {
    return this.#view.toString();
  }
}

/**
 * A Y.Doc that gets exactly the updates that its author had seen; any set of updates that contains its causes
 * will do.
 */
export class YjsAuthor implements Author {
  readonly #doc = new Y.Doc();
  readonly #shared = this.#doc.getText('text');
  readonly #view = new CodePointText();
  #unseen: { readonly step: PlanStep; readonly update: Uint8Array }[] = [];
  #made: Uint8Array | undefined;

  /** `clientId`: the id by which Yjs orders two insertions at one place (default: a random one). */
  constructor(clientId?: number) {
    if (clientId !== undefined) this.#doc.clientID = clientId;
    this.#shared.observe((event, transaction) => {
      if (!transaction.local) this.#view.applyDelta(event.delta);
    });
    this.#doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === this) this.#made = update;
    });
  }

  receive(step: PlanStep, op: Wire): void {
    if (!(op instanceof Uint8Array)) throw new TypeError('a yjs patch is bytes');
    this.#unseen.push({ step, update: op });
  }

  edit(step: PlanStep, patches: readonly TracePatch[]): AuthoredPatch {
    this.#see(({ agent, nth }) => nth < (step.seen[agent] ?? 0));
    this.#made = undefined;
    this.#doc.transact(() => {
      for (const [position, deleted, inserted] of patches) {
        const range = this.#view.splice(position, deleted, inserted);
        if (range.deleted > 0) this.#shared.delete(range.position, range.deleted);
        if (inserted !== '') this.#shared.insert(range.position, inserted);
      }
    }, this);
    return { op: this.#made ?? EMPTY_UPDATE };
  }

  text(): string {
    this.#see(() => true);
    return this.#shared.toString();
  }

  #see(isSeen: (step: PlanStep) => boolean): void {
    const later: { readonly step: PlanStep; readonly update: Uint8Array }[] = [];
    this.#doc.transact(() => {
      for (const entry of this.#unseen) {
        if (isSeen(entry.step)) Y.applyUpdate(this.#doc, entry.update);
        else later.push(entry);
      }
    });
    this.#unseen = later;
  }
}

/** The update of a transaction without effect. */
const EMPTY_UPDATE = Y.encodeStateAsUpdate(new Y.Doc());

/** Applies patches in turn; returns them as one delta in UTF-16 units. */
export function applyPatches(view: CodePointText, patches: readonly TracePatch[]): Delta {
  let delta = new Delta();
  for (const [position, deleted, inserted] of patches) {
    const range = view.splice(position, deleted, inserted);
    const patch = new Delta().retain(range.position).insert(inserted).delete(range.deleted);
    delta = patches.length === 1 ? patch : delta.compose(patch);
  }
  return delta;
}

export function deltaOps(op: unknown): Delta['ops'] {
  if (!Array.isArray(op)) throw new TypeError('a rich-text patch is an array');
  return op;
}

/** Plain JSON of a delta of plain text. */
export function deltaWire(delta: Delta): Wire {
  return delta.ops.map((op): { [key: string]: Json } => {
    if (typeof op.insert === 'string') return { insert: op.insert };
    if (typeof op.retain === 'number') return { retain: op.retain };
    return { delete: op.delete ?? 0 };
  });
}
