// `troupe import`: brings the documents of another Yjs server into a running node. A document that is there already
// gets what it lacks, so a run that was broken off is simply started again, and a second run writes nothing.
import { type ExitCode, StartError } from '../../../config/fatal.ts';
import type { Config } from '../../../config/schema.ts';
import { parseDocumentName } from '../../../protocol/names.ts';
import type { Output } from '../output.ts';
import { growth } from './growth.ts';
import { inBatches } from './in-batches.ts';
import { renamed, Targets } from './names.ts';
import { NodeDocuments, Refused } from './node-documents.ts';
import { nodeTokens } from './node-tokens.ts';
import { nodeUrl } from './node-url.ts';
import { Progress } from './progress.ts';
import { openStore } from './stores/open-store.ts';
import type { StoredDocument } from './stores/yjs-store.ts';
import type { ImportWords } from './words.ts';

export async function importDocuments(config: Config, words: ImportWords, io: Output): Promise<ExitCode> {
  const node = new NodeDocuments(nodeUrl(config, words.node), nodeTokens(config, words.tokenFile));
  const store = await openStore(words, false);
  const progress = new Progress(io, words.dryRun ? 'read' : 'imported');
  const targets = new Targets(words.renamings.length > 0);
  try {
    await inBatches(
      store.documents(words.after),
      async (document) => await importOne(document, { node, words, progress, targets }),
      (name) => io.stderr.write(`To go on from here: --after ${JSON.stringify(name)}\n`),
    );
  } finally {
    await store.close();
  }
  return progress.end();
}

interface Run {
  readonly node: NodeDocuments;
  readonly words: ImportWords;
  readonly progress: Progress;
  readonly targets: Targets;
}

async function importOne({ name, load }: StoredDocument, run: Run): Promise<void> {
  const { words, progress } = run;
  const plain = renamed(name, words.renamings);
  const doc = words.org === undefined ? plain : `${words.org}/${plain}`;
  if (parseDocumentName(doc) === undefined) {
    progress.leaveOut(name, `${JSON.stringify(doc)} is no name for a document (org/doc)`);
    return;
  }
  const other = run.targets.take(doc, name);
  if (other !== undefined) {
    progress.leaveOut(name, `${JSON.stringify(other)} has become ${doc} already`);
    return;
  }
  try {
    await write(name, doc, await load(), run);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    progress.leaveOut(name, `${doc}: ${error.code}: ${error.message}`);
  }
}

async function write(name: string, doc: string, update: Uint8Array, run: Run): Promise<void> {
  const { node, words, progress } = run;
  const there = await node.read(doc);
  if (there !== undefined && there.update === undefined) {
    progress.leaveOut(name, `${doc} is there, and is of the kind ${there.kind}`);
    return;
  }
  const grown = growth(there?.update, update);
  if (grown === 'bad') {
    progress.leaveOut(name, `its content is no Yjs update (${words.encoding})`);
    return;
  }
  if (grown !== undefined && !words.dryRun) {
    if (there !== undefined) await node.add(doc, grown.added);
    else
      await node.create(doc, grown.whole).catch(async (error: unknown) => {
        if (!(error instanceof Refused && error.code === 'exists')) throw error;
        // Somebody has created it in this moment.
        const now = await node.read(doc);
        if (now?.update === undefined) throw new StartError(`${doc} comes and goes: run the command again`);
        const missing = growth(now.update, update);
        if (missing !== undefined && missing !== 'bad') await node.add(doc, missing.added);
      });
  }
  progress.done(grown === undefined ? 'same' : there === undefined ? 'new' : 'grown', update.length);
}
