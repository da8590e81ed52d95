// What a patch costs the thread that orders it, estimated from counts before the work is done, and
// how a patch above `limits.workMs` is refused. Constants of the estimates stand with each kind;
// `npm run work` measures them and prints the estimate beside the time. No clock is read here.
import type { KindFailure, KindLimits, TooOld, Work } from './kind.ts';

/** The answer to a patch that would cost more than `limits.workMs`; undefined where it would not. */
export function refuseWork(
  { transformMs, applyMs }: Work,
  { workMs }: KindLimits,
): KindFailure | TooOld | undefined {
  if (applyMs > workMs) return tooMuchWork(workMs);
  return transformMs + applyMs > workMs ? tooFarBehind(workMs) : undefined;
}

/** The patch by itself is too costly, also on the newest version. */
export const tooMuchWork = (workMs: number) =>
  ({
    ok: false,
    code: 'too-large',
    message: `the patch would take more than ${workMs} ms to apply (limits.workMs): submit it in smaller parts`,
  }) as const satisfies KindFailure;

/** The patch is costly only because so much has been committed since its base. */
export const tooFarBehind = (workMs: number): TooOld => ({
  ok: false,
  code: 'version-too-old',
  message: `so much has been committed since the base that transforming the patch would take more than ${workMs} ms (limits.workMs): rebase it on a newer version`,
});
