// `npm run replay -- TRACE [--kind rich-text|yjs] [--url URL] [--encoding json|msgpack]`
import { basename } from 'node:path';
import { check } from '../checker/checker.ts';
import { readLogs } from '../checker/log.ts';
import { readOptions, runCommand, UsageError } from '../cli-options.ts';
import { withNode } from '../temporary-node.ts';
import { type ReplayOptions, type ReplayResult, replayTrace } from './replay.ts';
import { readTrace } from './trace.ts';

const USAGE = `usage: npm run replay -- TRACE [--kind rich-text|yjs] [--encoding json|msgpack] [--url URL]
  TRACE       a .json or .json.gz file of the editing-traces collection
  --kind      both, one after the other, unless given
  --url       http://HOST:PORT of a running node; without it one is started with a database of its own`;

/** A replay is a pipeline of one person's keystrokes, sent as fast as they are taken. */
const NODE_SETTINGS = ['limits.submitsPerSecond=1000000'];

await runCommand(USAGE, async () => {
  const { values, positionals } = readOptions(['kind', 'url', 'encoding'], 1);
  const kinds = kindsOf(values.kind);
  const encoding = encodingOf(values.encoding);
  const [path = ''] = positionals;
  const trace = await readTrace(path);
  return await withNode(values.url, NODE_SETTINGS, async (url) => {
    let failures = 0;
    for (const kind of kinds) {
      const name = basename(path)
        .replace(/\.json(\.gz)?$/, '')
        .replace(/[^A-Za-z0-9._~:@-]/g, '-');
      const doc = `replay/${name}-${kind}-${Date.now().toString(36)}`;
      const random = Math.random;
      const result = await replayTrace({
        url,
        trace,
        kind,
        doc,
        random,
        ...encoding,
        onProgress: progress(trace.txns.length),
      });
      const violations = check(await readLogs({ url, random }, [doc]), result.records);
      process.stdout.write(`${report(path, kind, result)}\n`);
      for (const { rule, detail } of violations.slice(0, 20)) process.stdout.write(`  ${rule}: ${detail}\n`);
      if (!result.equal || violations.length > 0) failures += 1;
    }
    return failures === 0 ? 0 : 1;
  });
});

function kindsOf(kind: string | undefined): readonly ReplayOptions['kind'][] {
  if (kind === undefined) return ['rich-text', 'yjs'];
  if (kind === 'rich-text' || kind === 'yjs') return [kind];
  throw new UsageError(`--kind is rich-text or yjs, not ${JSON.stringify(kind)}`);
}

function encodingOf(encoding: string | undefined): Pick<ReplayOptions, 'encoding'> {
  if (encoding === undefined) return {};
  if (encoding === 'json' || encoding === 'msgpack') return { encoding };
  throw new UsageError(`--encoding is json or msgpack, not ${JSON.stringify(encoding)}`);
}

function report(path: string, kind: string, result: ReplayResult): string {
  const { clients, transactions, elapsedMs, equal, mode, exact, transformed, text } = result;
  const seconds = elapsedMs / 1000;
  const made =
    kind === 'yjs'
      ? 'each on exactly the updates its author had seen'
      : mode === 'merged'
        ? 'merged before they were sent, for lack of a common order'
        : `${exact} on the version their author had seen, the others on a later one of its own; ${transformed} carried on by the server`;
  return [
    `${equal ? 'equal' : 'DIFFERENT'}: ${basename(path)} as ${kind}: ${text.length} characters`,
    `  ${transactions} transactions by ${clients} client(s) in ${seconds.toFixed(1)} s, ${Math.round(transactions / seconds)} a second`,
    `  ${made}`,
  ].join('\n');
}

/** Only on a terminal: a line that counts up. */
function progress(total: number): (committed: number) => void {
  if (!process.stderr.isTTY) return () => undefined;
  return (committed) => process.stderr.write(`\r${committed} of ${total}${committed === total ? '\n' : ''}`);
}
