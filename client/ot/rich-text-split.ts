// Divides a rich-text patch that is too large to be sent into two that have the same effect one after the
// other. Pure.
import { DeltaBuilder, type Step, type Delta as Steps, stepLength } from '../../kinds/rich-text/delta.ts';

/**
 * Two patches of about half the size; the second is made on the result of the first. Only inserted texts are
 * cut, between characters. Undefined if there is no text to cut.
 */
export function halve(op: Steps): readonly [Steps, Steps] | undefined {
  const steps = insertsFirst(op);
  const half = steps.reduce((sum, step) => sum + sizeOf(step), 0) / 2;
  let before = 0;
  let at = 0;
  let step = steps[0];
  while (step !== undefined && before + sizeOf(step) <= half) {
    before += sizeOf(step);
    at += 1;
    step = steps[at];
  }
  if (step === undefined) return undefined;
  const [left, right] = cut(step, (half - before) / sizeOf(step));
  const first = new DeltaBuilder();
  for (const one of [...steps.slice(0, at), ...left]) first.push(one);
  const second = new DeltaBuilder();
  const kept = [...steps.slice(0, at), ...left].reduce(
    (sum, one) => sum + (one.delete === undefined ? stepLength(one) : 0),
    0,
  );
  if (kept > 0) second.retain(kept, undefined);
  for (const one of [...right, ...steps.slice(at + 1)]) second.push(one);
  const halves = [first.chopped(), second.chopped()] as const;
  return halves.some((one) => one.length === 0) ? undefined : halves;
}

/** Moves the inserts at one place before the deletes there, so that no text is missing in between. */
function insertsFirst(op: Steps): Step[] {
  const steps: Step[] = [];
  for (const step of op) {
    if (step.insert !== undefined && steps.at(-1)?.delete !== undefined) steps.splice(-1, 0, step);
    else steps.push(step);
  }
  return steps;
}

function cut(step: Step, share: number): readonly [Step[], Step[]] {
  const { insert, attributes } = step;
  if (typeof insert !== 'string') return share < 0.5 ? [[], [step]] : [[step], []];
  let at = Math.round(insert.length * share);
  if (/^[\udc00-\udfff]$/.test(insert.charAt(at))) at -= 1;
  const part = (text: string): Step[] =>
    text === '' ? [] : [attributes === undefined ? { insert: text } : { insert: text, attributes }];
  return [part(insert.slice(0, at)), part(insert.slice(at))];
}

function sizeOf(step: Step): number {
  return JSON.stringify(step).length;
}
