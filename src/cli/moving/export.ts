// `troupe export`: leaves the Yjs documents of a running node in a store of another Yjs server. A document that the
// store has already gets what it lacks; nothing in the store is lost.
import type { ExitCode } from '../../../config/fatal.ts';
import type { Config } from '../../../config/schema.ts';
import type { Output } from '../output.ts';
import { growth } from './growth.ts';
import { inBatches } from './in-batches.ts';
import { renamed, Targets } from './names.ts';
import { type ListedDocument, NodeDocuments, Refused } from './node-documents.ts';
import { nodeTokens } from './node-tokens.ts';
import { nodeUrl } from './node-url.ts';
import { Progress } from './progress.ts';
import { openStore } from './stores/open-store.ts';
import { NameError, type YjsStore } from './stores/yjs-store.ts';
import type { ExportWords } from './words.ts';

export async function exportDocuments(config: Config, words: ExportWords, io: Output): Promise<ExitCode> {
  const node = new NodeDocuments(nodeUrl(config, words.node), nodeTokens(config, words.tokenFile));
  const store = await openStore(words, true);
  const progress = new Progress(io, 'exported');
  const targets = new Targets(words.withoutOrg || words.renamings.length > 0);
  try {
    await inBatches(
      listed(node, words),
      async (document) => await exportOne(document, { node, store, words, progress, targets }),
      () => undefined,
    );
  } finally {
    await store.close();
  }
  return progress.end();
}

/** The documents that are asked for, each once, however the patterns overlap. */
async function* listed(
  node: NodeDocuments,
  { patterns }: ExportWords,
): AsyncGenerator<ListedDocument & { readonly name: string }> {
  for (const [at, { org, doc, isPrefix }] of patterns.entries()) {
    const isTold = (name: string): boolean =>
      patterns
        .slice(0, at)
        .some(
          (other) => other.org === org && (other.isPrefix ? name.startsWith(other.doc) : name === other.doc),
        );
    for await (const found of node.list(org, doc)) {
      const name = found.doc.slice(org.length + 1);
      if ((isPrefix || name === doc) && !isTold(name)) yield { ...found, name: found.doc };
    }
  }
}

interface Run {
  readonly node: NodeDocuments;
  readonly store: YjsStore;
  readonly words: ExportWords;
  readonly progress: Progress;
  readonly targets: Targets;
}

async function exportOne({ doc, kind }: ListedDocument, run: Run): Promise<void> {
  const { node, store, words, progress } = run;
  if (kind !== 'yjs') {
    progress.leaveOut(doc, `it is of the kind ${kind}`);
    return;
  }
  const plain = words.withoutOrg ? doc.slice(doc.indexOf('/') + 1) : doc;
  const target = renamed(plain, words.renamings);
  const other = run.targets.take(target, doc);
  if (other !== undefined) {
    progress.leaveOut(doc, `${other} has become ${JSON.stringify(target)} already`);
    return;
  }
  try {
    const found = await node.read(doc);
    if (found?.update === undefined) {
      progress.leaveOut(doc, 'it was deleted meanwhile');
      return;
    }
    const there = await store.read(target);
    const grown = growth(there, found.update);
    if (grown === 'bad') throw new Error(`${doc} is no Yjs update`);
    if (grown !== undefined) await store.write(target, grown);
    progress.done(grown === undefined ? 'same' : there === undefined ? 'new' : 'grown', found.update.length);
  } catch (error) {
    if (error instanceof NameError) progress.leaveOut(doc, `${JSON.stringify(target)}: ${error.message}`);
    else if (error instanceof Refused) progress.leaveOut(doc, `${error.code}: ${error.message}`);
    else throw error;
  }
}
