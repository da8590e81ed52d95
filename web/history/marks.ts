// The authors of the parts of a version that were written in one period: its patches are folded over the content, as the node
// does for a whole document. Pure. Parts that are older have no author.
import {
  authoredValues,
  foldJsonAuthor,
  type JsonAuthors,
  unknownValue,
} from '../../kinds/history/json-authors.ts';
import { authoredText, foldTextAuthor, unknownText } from '../../kinds/history/rich-text-authors.ts';
import { jsonKind } from '../../kinds/json/json.ts';
import { type Delta, type Step, stepLength } from '../../kinds/rich-text/delta.ts';
import { richTextKind } from '../../kinds/rich-text/rich-text.ts';
import type { Json, Wire } from '../../protocol/messages.ts';
import type { PastPatch } from './past.ts';
import { authorOf } from './periods.ts';

export interface MarkedInsert extends Step {
  /** The key of the author. */
  readonly by: string | undefined;
}

/** `content`: the document after the last of the patches. */
export function markedText(content: Wire, patches: readonly PastPatch[]): readonly MarkedInsert[] {
  const inserts = deltaOf(content);
  const deltas = patches.map(({ op }) => deltaOf(op));
  const lengthAfter = inserts.reduce((sum, step) => sum + stepLength(step), 0);
  const authors = unknownText(lengthAfter - deltas.reduce((sum, delta) => sum + growthOf(delta), 0));
  for (const [at, patch] of patches.entries())
    foldTextAuthor(authors, deltas[at] ?? [], {
      user: authorOf(patch).key,
      at: 0,
      version: patch.version,
    });
  return authoredText(inserts, authors).map(({ author, ...step }) => ({ ...step, by: author?.user }));
}

function deltaOf(wire: Wire): Delta {
  const parsed = richTextKind.parse(wire, UNBOUNDED);
  if (!parsed.ok) throw new Error(`the node sent what is no Delta: ${parsed.message}`);
  return parsed.value;
}

const UNBOUNDED = { depth: Number.POSITIVE_INFINITY };

const growthOf = (delta: Delta): number =>
  delta.reduce((sum, step) => {
    if (step.insert !== undefined) return sum + stepLength(step);
    return step.delete === undefined ? sum : sum - step.delete;
  }, 0);

export interface MarkedJson {
  readonly content: Json;
  /** The key of the author of a value, by its pointer, where it differs from that of the value around it. */
  readonly by: ReadonlyMap<string, string | undefined>;
}

/** `before`: the document before the first of the patches. */
export function markedJson(before: Wire, patches: readonly PastPatch[]): MarkedJson {
  const state = jsonKind.load(before);
  let authors: JsonAuthors = unknownValue();
  for (const patch of patches) {
    const parsed = jsonKind.parse(patch.op, UNBOUNDED);
    const applied = parsed.ok ? jsonKind.apply(state, parsed.value) : parsed;
    if (!applied.ok) throw new Error(`version ${patch.version} does not fit: ${applied.message}`);
    authors = foldJsonAuthor(authors, applied.value.op, { user: authorOf(patch).key, at: 0, version: 0 });
  }
  const by = Object.entries(authoredValues(authors)).map(
    ([pointer, author]) => [pointer, author?.user] as const,
  );
  return { content: jsonKind.snapshot(state) as Json, by: new Map(by) };
}
