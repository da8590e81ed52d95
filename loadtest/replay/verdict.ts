// The verdict on a replayed trace. It merges the patches that the authors submitted with Yjs or Quill's Delta
// themselves, never with the product's kinds, and compares that with the log, with its fold and with every author.
//
// The end that was recorded is no measure by itself: where two authors inserted at one place, any order of the two
// is right, and other orders give other texts. Yjs tells whether the end hangs on such ties: it merges the trace
// twice, with the ids of the authors in opposite orders, which turns every tie around.
import * as Y from 'yjs';
import { Delta } from '../../client/ot/delta.ts';
import type { Wire } from '../../protocol/messages.ts';
import type { DocumentLog, LogRow } from '../checker/checker.ts';
import type { SubmitRecord } from '../checker/records.ts';
import { sameWire } from '../checker/replica.ts';
import { deltaOps } from '../clients/author.ts';
import { CodePointText } from '../clients/code-points.ts';
import type { ReplayResult } from './replay.ts';
import { type Trace, withoutFinalNewline } from './trace.ts';
import { mergedText } from './trace-merge.ts';

export interface ReplayVerdict {
  /** Empty if the server is right. */
  readonly faults: readonly string[];
  /**
   * How the document ended. `recorded`: as in the trace. `tied`: otherwise, and the end hangs on ties. `transformed`:
   * otherwise, although Yjs ends as in the trace: transformation has ties that Yjs does not have, where text between two
   * insertions was deleted. `other`: otherwise, and Yjs never ends as in the trace, which is a fault. `unknown`: the
   * replay was not complete, or the trace has no end.
   */
  readonly end: 'recorded' | 'tied' | 'transformed' | 'other' | 'unknown';
}

/** At most so many faults are told. */
const TOLD = 20;

/** `log`: the document's whole log, read after the replay. */
export function judgeReplay(trace: Trace, result: ReplayResult, log: DocumentLog): ReplayVerdict {
  const faults = log.kind === 'yjs' ? yjsFaults(result, log) : richTextFaults(result, log);
  const { texts, isComplete, transactions } = result;
  if (transactions === 0) faults.push('nothing was replayed: the trace has no transactions');
  const folded = foldedText(log);
  for (const [author, text] of texts) {
    if (text !== folded) faults.push(`${author} holds another text than the fold of the log`);
  }
  if (isComplete && log.rows.length !== transactions)
    faults.push(`the log has ${log.rows.length} versions, and ${transactions} transactions were sent`);
  const end = isComplete ? endOf(trace, result, folded) : 'unknown';
  if (end === 'other') faults.push('the end is not the recorded one, although it hangs on no tie');
  return { faults: faults.slice(0, TOLD), end };
}

function endOf(trace: Trace, { plan }: ReplayResult, text: string): ReplayVerdict['end'] {
  if (trace.endContent === undefined) return 'unknown';
  if (text === trace.endContent) return 'recorded';
  const rising = mergedText(trace, plan, 'rising');
  if (rising !== mergedText(trace, plan, 'falling')) return 'tied';
  return rising === trace.endContent ? 'transformed' : 'other';
}

/** The submitted updates, merged by Yjs in the opposite order of the log, must give the document of the log. */
function yjsFaults(result: ReplayResult, log: DocumentLog): string[] {
  const faults: string[] = [];
  const merged = new Y.Doc();
  const folded = new Y.Doc();
  const submits = submitsOf(result);
  for (const row of log.rows) Y.applyUpdate(folded, bytes(row.op));
  for (const row of [...log.rows].reverse()) {
    const submit = submits(row);
    if (submit === undefined) faults.push(`version ${row.version} was submitted by no author`);
    else Y.applyUpdate(merged, bytes(submit.op));
  }
  if (!Y.equalSnapshots(Y.snapshot(merged), Y.snapshot(folded)))
    faults.push('the fold of the log is another document than the submitted updates merged by Yjs');
  if (merged.getText('text').toString() !== folded.getText('text').toString())
    faults.push('the fold of the log has another text than the submitted updates merged by Yjs');
  return faults;
}

/** Each row must be the submitted delta, carried by Quill's own transformation past the rows since its base. */
function richTextFaults(result: ReplayResult, log: DocumentLog): string[] {
  const faults: string[] = [];
  const submits = submitsOf(result);
  const rows = log.rows.map(({ op }) => new Delta(deltaOps(op)));
  for (const [place, row] of log.rows.entries()) {
    const submit = submits(row);
    if (submit === undefined) faults.push(`version ${row.version} was submitted by no author`);
    // A submit that was sent again on another base has two forms; the checker judges it.
    else if (!submit.changed) {
      let expected = new Delta(deltaOps(submit.op));
      for (const past of rows.slice(submit.base ?? place, place)) expected = past.transform(expected, true);
      if (!sameWire(expected.ops, rows[place]?.ops))
        faults.push(
          `version ${row.version} is ${JSON.stringify(row.op)}, and Quill transforms what was submitted to ${JSON.stringify(expected.ops)}`,
        );
    }
  }
  return faults;
}

function submitsOf({ records }: ReplayResult): (row: LogRow) => SubmitRecord | undefined {
  const byClient = new Map(records.map(({ client, submits }) => [client, submits]));
  return ({ client, seq }) => byClient.get(client)?.get(seq);
}

function foldedText({ kind, rows }: DocumentLog): string {
  if (kind === 'yjs') {
    const doc = new Y.Doc();
    for (const { op } of rows) Y.applyUpdate(doc, bytes(op));
    return doc.getText('text').toString();
  }
  const view = new CodePointText();
  view.splice(0, 0, '\n');
  for (const { op } of rows) view.applyDelta(deltaOps(op));
  return withoutFinalNewline(view.toString());
}

function bytes(op: Wire): Uint8Array {
  if (op instanceof Uint8Array) return op;
  throw new TypeError('a yjs patch is bytes');
}
