// The messages between a load test and the processes of its load. Types alone.
import type { Scenario } from '../../scenarios/scenario.ts';
import type { ProcessSecond } from '../figures.ts';
import type { Member } from './crowd.ts';

export interface Patience {
  /** Time for the last answers after the end of the load. */
  readonly settleMs: number;
  /** Longest time for the log of one document. */
  readonly readMs: number;
}

export interface LoadOrder {
  readonly type: 'order';
  /** Socket URLs; clients are spread over them. */
  readonly urls: readonly string[];
  readonly token: string | undefined;
  /** Number of this process, from 0. */
  readonly index: number;
  readonly processes: number;
  /** Distinguishes the clients of this process and run. */
  readonly name: string;
  readonly docs: readonly string[];
  readonly scenario: Scenario;
  readonly members: readonly Member[];
  /** Number of clients in all processes. */
  readonly total: number;
  /** Documents whose clients keep full records. */
  readonly checked: readonly number[];
  readonly patience: Patience;
  /** Clients of all processes at the beginning; undefined: the course decides. */
  readonly ordered: number | undefined;
}

export type LoadCommand =
  | LoadOrder
  /** `at`: the beginning, by clock(). */
  | { readonly type: 'begin'; readonly at: number }
  | { readonly type: 'drop'; readonly share: number }
  /** Clients of all processes to be connected from now on, whatever the course says. */
  | { readonly type: 'clients'; readonly count: number }
  /** Makes no edits until `go-on`, and answers `rested`. */
  | { readonly type: 'rest' }
  | { readonly type: 'go-on' }
  | { readonly type: 'end' };

export interface CheckReport {
  readonly type: 'report';
  readonly documents: number;
  readonly clients: number;
  readonly replicas: number;
  /** Acknowledged edits of these clients that were looked for in the logs. */
  readonly edits: number;
  readonly violations: number;
  /** The first of them. */
  readonly told: readonly string[];
  /** Documents that could not be checked, with the reason. */
  readonly unchecked: readonly string[];
}

/** The clients of the beginning are there. */
export interface OpenReport {
  readonly type: 'open';
  readonly clients: number;
  /** Resident memory that they have added to the process. */
  readonly addedBytes: number;
}

export type LoadAnswer =
  /** Clients of the process that have connected so far, while those of the beginning do. */
  | { readonly type: 'opening'; readonly clients: number }
  | OpenReport
  | { readonly type: 'failed'; readonly message: string }
  | ({ readonly type: 'second' } & ProcessSecond)
  /** All edits have their answers. */
  | { readonly type: 'rested' }
  | CheckReport;
