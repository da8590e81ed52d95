// Editors on the stock providers of Yjs and on this project's SDK, all in one document of a cluster, while
// connections, nodes and the database are killed. It looks at two promises. All copies become equal. And nothing is
// missing that a provider called saved, when everything is killed in one moment and no copy of an editor survives.
import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { YjsDocument } from '../../client/api.ts';
import { TroupeClient } from '../../client/index.ts';
import { ChaosCluster, type ChaosServices } from '../../loadtest/chaos/chaos-cluster.ts';
import { below, pick, type Random, seededRandom } from '../../loadtest/clients/random-edits.ts';
import { STOCK_PACKAGES, type StockPackage, type StockProvider } from '../support/stock-providers.ts';
import { untilSeen } from '../support/until.ts';

export type StockFault = 'drops' | 'kill-node' | 'kill-postgres' | 'rolling-restart';

export interface StockRun {
  readonly services: ChaosServices;
  readonly packages?: readonly StockPackage[];
  readonly nodes: number;
  /** Editors of each package. */
  readonly each: number;
  readonly faults: readonly StockFault[];
  /** Time of editing before, while and after a fault, ms. */
  readonly editMs: number;
  readonly seed: number;
  readonly tell: (line: string) => void;
}

/** An editor: a stock provider, or a document of the SDK. */
interface Editor {
  readonly name: string;
  text(): string;
  insert(at: number, text: string): void;
  remove(at: number, length: number): void;
  /** How many of its edits are called saved, of those made so far. */
  saved(): number;
  /** How many changes the provider counts as not saved. 0 if it counts none. */
  readonly unsavedCount: number;
  drop(): void;
  destroy(): void;
  /** The marks that it has put into the text, one for each edit. */
  readonly marks: string[];
}

const EDIT_EVERY_MS = 60;
const DROP_EVERY_MS = 700;
/** Text that editors remove again. Marks have none of it. */
const FILLER = '~';
const AWAY_MS = 500;

export async function stockRun(run: StockRun): Promise<void> {
  const cluster = await ChaosCluster.start({
    services: run.services,
    nodes: run.nodes,
    secret: 'a secret of the tests',
    proxied: false,
    faulty: false,
    set: () => ['drain.timeoutMs=1000', 'auth.mode=none'],
    logs: undefined,
  });
  try {
    for (const [index, fault] of run.faults.entries())
      await round(run, cluster, fault, { doc: `stock/${fault}-${index}`, seed: run.seed + index });
  } finally {
    await cluster.stop();
  }
}

async function round(
  run: StockRun,
  cluster: ChaosCluster,
  fault: StockFault,
  { doc, seed }: { doc: string; seed: number },
): Promise<void> {
  const random = seededRandom(seed);
  const editors = editorsOf(run, cluster, doc);
  try {
    const typing = new AbortController();
    const typed = Promise.all(editors.map((editor) => type(editor, random, typing.signal)));
    const dropped = dropSome(editors, random, typing.signal);
    await setTimeout(run.editMs);
    await strike(run, cluster, fault, random);
    await setTimeout(run.editMs);
    typing.abort();
    await Promise.all([typed, dropped]);
    // A provider whose count is below zero would call later edits saved too early.
    await untilSeen(`${fault}: equal copies with every edit, everything saved`, () =>
      Promise.resolve(
        areEqual(editors) &&
          editors.every((editor) => editor.saved() === editor.marks.length && editor.unsavedCount === 0),
      ),
    );
    assertWhole(
      editors[0]?.text() ?? '',
      editors.flatMap(({ marks }) => marks),
      fault,
    );
    // Some more edits, some of which no provider calls saved yet, and the end of everything at once.
    const again = new AbortController();
    const more = Promise.all(editors.map((editor) => type(editor, random, again.signal)));
    await setTimeout(run.editMs / 2 + below(random, 200));
    const saved = editors.flatMap((editor) => editor.marks.slice(0, editor.saved()));
    const made = editors.reduce((sum, { marks }) => sum + marks.length, 0);
    const killed = cluster.nodes.map(({ process }) => process.kill());
    for (const editor of editors) editor.destroy();
    again.abort();
    await Promise.all([...killed, more]);
    await Promise.all(cluster.nodes.map(({ process }) => process.restart()));
    const text = await readText(cluster, doc);
    assertWhole(text, saved, `${fault}, after kill -9 of all nodes`);
    run.tell(
      `${fault}: ${editors.length} editors, ${made} edits, ${saved.length} of them called saved when all nodes were killed`,
    );
  } finally {
    for (const editor of editors) editor.destroy();
  }
}

function editorsOf(run: StockRun, cluster: ChaosCluster, doc: string): Editor[] {
  const editors: Editor[] = [];
  for (let each = 0; each < run.each; each++) {
    for (const stock of run.packages ?? STOCK_PACKAGES) {
      const { port } = cluster.node(editors.length).process;
      const provider = stock.start({ port, doc });
      editors.push(stockEditor(`${stock.name}-${each}`, provider));
    }
    editors.push(sdkEditor(`sdk-${each}`, cluster, editors.length, doc));
  }
  return editors;
}

function stockEditor(name: string, provider: StockProvider): Editor {
  const marks: string[] = [];
  const clocks: number[] = [];
  let saved = 0;
  let isDestroyed = false;
  return {
    name,
    marks,
    text: () => provider.text(),
    insert: (at, text) => {
      provider.insert(at, text);
      clocks.push(provider.clock);
    },
    remove: (at, length) => provider.remove(at, length),
    saved: () => {
      // Hocuspocus's provider tells it; y-websocket's says nothing, and has its update back.
      if (provider.isSaved === true) saved = marks.length;
      else if (provider.isSaved === undefined)
        while (saved < clocks.length && (clocks[saved] ?? 0) <= provider.echoedClock) saved += 1;
      return saved;
    },
    get unsavedCount() {
      return provider.unsavedCount ?? 0;
    },
    drop: () => provider.drop(),
    destroy: () => {
      if (!isDestroyed) provider.destroy();
      isDestroyed = true;
    },
  };
}

function sdkEditor(name: string, cluster: ChaosCluster, place: number, docName: string): Editor {
  const urls = cluster.nodes.map((_, index) => cluster.node(place + index).process.socketUrl);
  let latest: WebSocket | undefined;
  const client = new TroupeClient({
    urls,
    webSocket: class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        latest = this;
      }
    },
  });
  const doc: YjsDocument = client.open(docName, 'yjs');
  const text = doc.content.getText('t');
  const marks: string[] = [];
  let saved = 0;
  return {
    name,
    marks,
    text: () => text.toString(),
    insert: (at, inserted) => text.insert(at, inserted),
    remove: (at, length) => text.delete(at, length),
    saved: () => {
      if (doc.state === 'saved') saved = marks.length;
      return saved;
    },
    unsavedCount: 0,
    drop: () => latest?.terminate(),
    destroy: () => client.close(),
  };
}

/** Puts marks and filler into the text, and takes filler away, until the signal comes. */
async function type(editor: Editor, random: Random, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const text = editor.text();
    if (random() < 0.3) removeFiller(editor, text, random);
    const mark = `[${editor.name}:${editor.marks.length}]`;
    editor.marks.push(mark);
    editor.insert(
      betweenMarks(text === editor.text() ? text : editor.text(), random),
      `${mark}${FILLER.repeat(below(random, 4))}`,
    );
    editor.saved();
    await setTimeout(EDIT_EVERY_MS * (0.5 + random()));
  }
}

/** A place that is in no mark. */
function betweenMarks(text: string, random: Random): number {
  const from = below(random, text.length + 1);
  const open = text.indexOf('[', from);
  return open < 0 ? text.length : open;
}

function removeFiller(editor: Editor, text: string, random: Random): void {
  const at = text.indexOf(FILLER, below(random, text.length + 1));
  if (at >= 0) editor.remove(at, 1);
}

async function dropSome(editors: readonly Editor[], random: Random, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await setTimeout(DROP_EVERY_MS * (0.5 + random()));
    if (!signal.aborted) pick(random, editors).drop();
  }
}

async function strike(
  run: StockRun,
  cluster: ChaosCluster,
  fault: StockFault,
  random: Random,
): Promise<void> {
  switch (fault) {
    case 'drops':
      return;
    case 'kill-node': {
      const { process } = cluster.node(below(random, cluster.nodes.length));
      await process.kill();
      await setTimeout(AWAY_MS);
      await process.restart();
      return;
    }
    case 'kill-postgres':
      await run.services.postgres.kill();
      return;
    case 'rolling-restart':
      for (const { process } of cluster.nodes) {
        await process.stop();
        await process.restart();
      }
      return;
  }
}

const areEqual = (editors: readonly Editor[]): boolean =>
  editors.every((editor) => editor.text() === editors[0]?.text());

/** Each mark is there exactly once. */
function assertWhole(text: string, marks: readonly string[], when: string): void {
  const counts = new Map<string, number>();
  for (const [mark] of text.matchAll(/\[[^\]]*\]/g)) counts.set(mark, (counts.get(mark) ?? 0) + 1);
  const wrong = marks.filter((mark) => counts.get(mark) !== 1);
  assert.deepEqual(wrong, [], `${when}: edits that are missing or twice there`);
}

/** The text as a client sees it that comes anew. */
async function readText(cluster: ChaosCluster, docName: string): Promise<string> {
  const urls = cluster.nodes.map(({ process }) => process.socketUrl);
  const client = new TroupeClient({ urls, webSocket: WebSocket });
  try {
    const doc = client.open(docName, 'yjs');
    await doc.ready;
    return doc.content.getText('t').toString();
  } finally {
    client.close();
  }
}
