// The legal moves of a lifecycle, as a table, and the check of a move. A lifecycle that makes another move is
// broken, and going on could corrupt what it guards: its document or worker ends instead.
import assert from 'node:assert/strict';

/** For each mode, the modes that may follow it. */
export type Moves<Mode extends string> = { readonly [from in Mode]: readonly Mode[] };

/** Throws unless `to` may follow `from`. `subject` names the lifecycle in the message. */
export function assertMove<Mode extends string>(
  subject: string,
  moves: Moves<Mode>,
  from: Mode,
  to: Mode,
): void {
  assert(moves[from].includes(to), `${subject} does not go from ${from} to ${to}`);
}
