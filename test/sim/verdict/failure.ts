// The findings of a run: a broken rule of the checker, or a broken rule that only a simulation can detect.
import type { Rule } from '../../../loadtest/checker/records.ts';

export interface Failure {
  readonly rule: Rule | SimRule;
  readonly detail: string;
}

/**
 * not-live: long after the last repair some edits have no answer, or some replica is behind. stale-read: a
 * document was opened at a state older than an unconfirmed owner may serve. needless-gap: a worker had to
 * start over because a version was missing, and the database had lost none. zombie-row: the database took
 * rows of a fenced session. not-quarantined: more workers of one run died at one document than the quarantine
 * allows. if-match-broken: a write over HTTP committed on another version than the one of its If-Match.
 * rights-broken: a user without the right was let in, or an edit or the presence of one appeared. yjs-lost: a client of Yjs was told of an
 * edit that is not in the log. open-passed: an edit committed while a lower seq of its client was left open. crash: an exception
 * that must not occur.
 */
export type SimRule =
  | 'not-live'
  | 'stale-read'
  | 'needless-gap'
  | 'zombie-row'
  | 'not-quarantined'
  | 'open-passed'
  | 'if-match-broken'
  | 'rights-broken'
  | 'yjs-lost'
  | 'crash';
