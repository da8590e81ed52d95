// The patch that brings the content of an earlier version back. It is made on the present content, and it is
// small where little has changed. Pure, except that a restored yjs document needs a new client id.
import * as Y from 'yjs';
import type { Json, Wire } from '../../protocol/messages.ts';
import { jsonDifference } from '../json/difference.ts';
import { wireOf } from '../json/parse.ts';
import type { Delta } from '../rich-text/delta.ts';
import { richTextDifference } from '../rich-text/difference.ts';

/** The JSON Patch that leads from one document to another, in wire form. */
export const restoreJson = (now: Wire, then: Wire): Wire => wireOf(jsonDifference(now as Json, then as Json));

/** The Delta that leads from one document to another. */
export const restoreText = (now: Wire, then: Wire): Wire =>
  richTextDifference(now as Delta, then as Delta) as Wire;

const LATER = Symbol('the updates after the version to restore');

/**
 * The update that brings a yjs document back to `then`, the whole state at that version, by undoing `later`, the
 * updates committed since. Types and values come back with their content, as new items by `clientId`: Yjs cannot
 * revive deleted items, so an application's relative positions in them are not valid again. An update of `later`
 * that still waits for another one is not undone. Empty (two bytes) if nothing is to be done.
 */
export function restoreYjs(then: Uint8Array, later: readonly Uint8Array[], clientId: number): Uint8Array {
  const doc = new Y.Doc({ gc: false });
  doc.clientID = clientId;
  try {
    Y.applyUpdate(doc, then);
    const undo = new Y.UndoManager(doc, {
      trackedOrigins: new Set([LATER]),
      captureTimeout: Number.MAX_SAFE_INTEGER,
    });
    for (const update of later) Y.applyUpdate(doc, update, LATER);
    const now = Y.encodeStateVector(doc);
    const before = Y.snapshot(doc);
    undo.undo();
    if (Y.equalSnapshots(before, Y.snapshot(doc))) return Uint8Array.of(0, 0);
    return Y.encodeStateAsUpdate(doc, now);
  } finally {
    doc.destroy();
  }
}
