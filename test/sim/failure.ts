// What a run can find: a rule of the checker that is broken, or one that only a simulation can see broken.
import type { Rule } from '../../loadtest/checker/records.ts';

export interface Failure {
  readonly rule: Rule | SimRule;
  readonly detail: string;
}

/**
 * not-live: mended for long, and not all edits are answered, or some replica is behind.
 * stale-read: a document was opened as it had not been for longer than an unconfirmed owner may serve it.
 * needless-gap: a worker had to start over for a version that was missing, and the database had lost none.
 * zombie-row: the database took rows of a session that was fenced.
 * not-quarantined: workers of one run died of one document oftener than they may.
 * open-passed: an edit committed while a lower one of its client was left open.
 * crash: something threw that must not.
 */
export type SimRule =
  | 'not-live'
  | 'stale-read'
  | 'needless-gap'
  | 'zombie-row'
  | 'not-quarantined'
  | 'open-passed'
  | 'crash';
