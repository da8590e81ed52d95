// Garbage of a yjs document is collected when its snapshot is folded, by the compute pool alone: no owner of a document
// builds a Y.Doc. Clients that still hold the content that was collected converge with those that do not.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import * as Y from 'yjs';
import { diffOf } from '../../../kinds/yjs/diff.ts';
import { mergeAll } from '../../../kinds/yjs/updates.ts';
import { collectGarbage, yjsKind } from '../../../kinds/yjs/yjs.ts';
import { root } from '../../repo/sources.ts';
import { edit, editsOf, runs } from './yjs-edits.ts';

const contentOf = (doc: Y.Doc) => {
  assert.equal(doc.store.pendingStructs, null);
  assert.equal(doc.store.pendingDs, null);
  return [doc.getText('text').toDelta(), doc.getMap('map').toJSON(), doc.getArray('list').toJSON()];
};

test('clients with old content converge with a document whose garbage was collected while updates were missing', () => {
  fc.assert(
    fc.property(
      editsOf(3, 60),
      fc.array(fc.boolean(), { maxLength: 60 }),
      fc.nat(60),
      editsOf(3, 20),
      (edits, late, folds, offline) => {
        const { docs, updates, more } = edit(3, edits);
        const early = updates.filter((_, i) => late[i] !== true || i >= folds);
        const state = yjsKind.load(collectGarbage(mergeAll(early)));
        // While the document was folded, the editors went on, and saw nothing of each other.
        more(offline.filter(({ what }) => what !== 'sync'));
        for (const [i, update] of updates.entries())
          if (late[i] === true && i < folds) yjsKind.apply(state, update);
        for (const doc of docs) {
          const step = Y.encodeStateAsUpdate(doc, state.known.stateVector);
          const fresh = yjsKind.vectors?.newIn(state, step);
          if (fresh !== undefined) yjsKind.apply(state, fresh);
        }
        for (const doc of docs) Y.applyUpdate(doc, diffOf(state.merged(), Y.encodeStateVector(doc)));
        const reader = new Y.Doc();
        Y.applyUpdate(reader, collectGarbage(state.merged()));
        for (const doc of docs) assert.deepEqual(contentOf(doc), contentOf(reader));
      },
    ),
    { numRuns: runs(200) },
  );
});

test('structs and deletions that wait for others are in a snapshot whose garbage was collected', () => {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (const letter of 'abcd') doc.getText('text').insert(doc.getText('text').length, letter);
  doc.getText('text').delete(1, 2);
  const [first, second, ...rest] = updates;
  assert.ok(first !== undefined && second !== undefined);
  const reader = new Y.Doc();
  Y.applyUpdate(reader, collectGarbage(mergeAll([first, ...rest])));
  assert.equal(reader.getText('text').toString(), 'a');
  Y.applyUpdate(reader, second);
  assert.equal(reader.getText('text').toString(), 'ad');
  assert.deepEqual(contentOf(reader), contentOf(doc));
});

test('only the threads for folds and for the past build a Y.Doc', async () => {
  const users: string[] = [];
  for (const folder of ['kinds', 'actors', 'cluster', 'src'])
    for (const entry of await readdir(join(root, folder), { recursive: true })) {
      // Commands are no part of a node.
      if (!entry.endsWith('.ts') || (folder === 'src' && entry.startsWith('cli'))) continue;
      const text = await readFile(join(root, folder, entry), 'utf8');
      if (/new Y\.Doc\(|\b(collectGarbage|withoutGarbage)\(/.test(text)) users.push(`${folder}/${entry}`);
    }
  assert.deepEqual(users.sort(), ['actors/compute/fold.ts', 'kinds/history/restore.ts', 'kinds/yjs/yjs.ts']);
  const imports = await importersOf('kinds/history/restore.ts');
  assert.deepEqual(imports, ['actors/compute/past-job.ts']);
  assert.deepEqual(await importersOf('actors/compute/fold.ts'), ['actors/compute/fold-worker.ts']);
});

/** Files of the server that import more than types of this file. */
async function importersOf(file: string): Promise<string[]> {
  const name = file.slice(file.lastIndexOf('/') + 1);
  const found: string[] = [];
  for (const folder of ['kinds', 'actors', 'cluster', 'src'])
    for (const entry of await readdir(join(root, folder), { recursive: true })) {
      if (!entry.endsWith('.ts')) continue;
      const text = await readFile(join(root, folder, entry), 'utf8');
      for (const [statement] of text.matchAll(/^import [^;]*;/gm))
        if (statement.includes(`/${name}'`) && !/^import type |\{ type [^,]* \}/.test(statement))
          found.push(`${folder}/${entry}`);
    }
  return found;
}
