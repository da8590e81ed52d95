// Corrects patches of editors that count in halves of a surrogate pair: the result has whole code points. Pure.

import {
  composeDelta,
  consumedLength,
  type Step,
  type Delta as Steps,
  stepLength,
} from '../../kinds/rich-text/delta.ts';
import { EMBED, richTextDifference } from '../../kinds/rich-text/difference.ts';
import { parseDelta } from '../../kinds/rich-text/parse.ts';
import { isRecord } from '../guards.ts';

/**
 * Corrects a patch that is refused only because it cuts surrogate pairs, though its resulting document has no
 * cut pair: returns the same change in whole code points. Undefined if the patch has another fault.
 */
export function inWholeCodePoints(document: Steps, patch: unknown): Steps | undefined {
  if (!Array.isArray(patch)) return undefined;
  const shape = patch.map((step: unknown) =>
    isRecord(step) && typeof step.insert === 'string'
      ? { ...step, insert: step.insert.replace(HALF, EMBED) }
      : step,
  );
  const parsed = parseDelta(shape, Number.POSITIVE_INFINITY);
  const length = document.reduce((sum, step) => sum + stepLength(step), 0);
  if (!parsed.ok || consumedLength(parsed.value) > length) return undefined;
  const result = composeDelta(document, patch as Step[]);
  const whole = result.every(({ insert }) => typeof insert !== 'string' || insert.search(HALF) < 0);
  return whole ? richTextDifference(document, result) : undefined;
}

/** One half of a surrogate pair without the other. */
const HALF = /\p{Surrogate}/gu;
