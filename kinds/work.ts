// The cost of a patch to the thread that orders it, estimated from counts before the work is done, and the
// refusal of a patch above `limits.workMs`. Each kind has the constants of its own estimate; `npm run work`
// measures them and prints the estimate beside the time. This file reads no clock.
import type { KindFailure, KindLimits, TooOld, Work } from './kind.ts';

/**
 * Returns the answer to a patch that would cost more than `limits.workMs`. Undefined if the patch costs no
 * more.
 */
export function refuseWork(
  { transformMs, applyMs }: Work,
  { workMs }: KindLimits,
): KindFailure | TooOld | undefined {
  if (applyMs > workMs) return tooMuchWork(workMs);
  return transformMs + applyMs > workMs ? tooFarBehind(workMs) : undefined;
}

/** The refusal of a patch that is too costly by itself, also on the newest version. */
export const tooMuchWork = (workMs: number) =>
  ({
    ok: false,
    code: 'too-large',
    message: `the patch would take more than ${workMs} ms to apply (limits.workMs): submit it in smaller parts`,
  }) as const satisfies KindFailure;

/** The refusal of a patch that is costly only because so much has been committed since its base. */
export const tooFarBehind = (workMs: number): TooOld => ({
  ok: false,
  code: 'version-too-old',
  message: `so much has been committed since the base that transforming the patch would take more than ${workMs} ms (limits.workMs): rebase it on a newer version`,
});
