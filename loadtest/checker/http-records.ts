// The record of one HTTP client's writes and reads of one document, as http-check.ts reads it. The client id under which a
// write commits is the server's, so each write carries a marker of its own in its patch, by which it is found in the log.
// Notes at once what one client alone can see: two answers to one key, a read that is older than an answer before it.
import { wireBytes } from '../../protocol/codec.ts';
import type { KindName, Wire } from '../../protocol/messages.ts';
import type { Fate, Rule, Violation } from './records.ts';
import { told } from './records.ts';

/** Markers are ASCII, so they are found in the bytes of a Yjs update too. */
export const MARKER = /\[w[a-z0-9]+\.\d+\]/g;

export interface HttpWrite {
  readonly marker: string;
  /** Contains the marker. */
  readonly op: Wire;
  readonly base?: number;
  readonly key?: string;
  /** The version that `If-Match` names. */
  readonly ifVersion?: number;
  /**
   * Whether its key had been applied to another patch before: it is answered with the version of that one, and is not in
   * the log itself.
   */
  readonly isUsed?: boolean;
  /** ok: answered with this version. */
  fate: Fate;
  /** More than one: it was sent again, after an answer that was lost, or to be answered once more. */
  sends: number;
}

export interface HttpRead {
  readonly history: string;
  readonly version: number;
  readonly content: Wire;
}

export interface HttpRecord {
  readonly doc: string;
  /** The name of the writer, for people. */
  readonly writer: string;
  readonly writes: readonly HttpWrite[];
  readonly reads: readonly HttpRead[];
  readonly violations: readonly Violation[];
}

export class HttpNotes implements HttpRecord {
  readonly doc: string;
  readonly writer: string;
  readonly kind: KindName;
  readonly writes: HttpWrite[] = [];
  readonly reads: HttpRead[] = [];
  readonly violations: Violation[] = [];
  /** The newest version of an answer. */
  newest = 0;

  constructor(doc: string, writer: string, kind: KindName) {
    this.doc = doc;
    this.writer = writer;
    this.kind = kind;
  }

  wrote(write: Omit<HttpWrite, 'fate' | 'sends'>): HttpWrite {
    const noted: HttpWrite = { ...write, fate: { type: 'unknown' }, sends: 0 };
    this.writes.push(noted);
    return noted;
  }

  answered(write: HttpWrite, fate: Fate): void {
    const { marker, fate: before } = write;
    if (before.type !== 'unknown' && told(before) !== told(fate)) {
      this.broken('two-fates', `${marker} was ${told(before)}, now ${told(fate)}`);
      return;
    }
    write.fate = fate;
    if (fate.type === 'ok') this.newest = Math.max(this.newest, fate.version);
  }

  /** `since`: the newest version of an answer before the request was sent. */
  read({ history, version, content }: HttpRead, since: number): void {
    if (version < since)
      this.broken('read-behind', `version ${version} was read after an answer of ${since}`);
    this.newest = Math.max(this.newest, version);
    this.reads.push({
      history,
      version,
      content: this.kind === 'yjs' ? (wireBytes(content) ?? content) : content,
    });
  }

  broken(rule: Rule, detail: string): void {
    this.violations.push({ rule, doc: this.doc, client: this.writer, detail });
  }
}
