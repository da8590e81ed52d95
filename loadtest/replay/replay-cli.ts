// `npm run replay`: its options and its output.
import { basename } from 'node:path';
import { Option } from '@commander-js/extra-typings';
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { check } from '../checker/checker.ts';
import { readLogs } from '../checker/log.ts';
import { runTool, TARGET, TARGET_TELLS, toolCommand } from '../command-line/command.ts';
import { withNode } from '../nodes/temporary-node.ts';
import { type ReplayResult, replayTrace } from './replay.ts';
import { beginningOf, readTrace } from './trace.ts';
import { judgeReplay, type ReplayVerdict } from './verdict.ts';

const KINDS = ['rich-text', 'yjs'] as const;

const command = toolCommand('replay')
  .description(
    'Replay a recorded editing trace as real clients, one for each author, and compare the document with a merge of the same patches by Quill or Yjs, with the fold of its log, and with every author.',
  )
  .argument('<FILE>', 'a recorded trace: .json or .json.gz of the editing-traces collection')
  .addOption(
    new Option('--kind <KIND>', 'kind of the document (default: both, one after the other)').choices(KINDS),
  )
  .addOption(
    new Option('--encoding <ENCODING>', 'subprotocol (default: json for rich-text, msgpack for yjs)').choices(
      ['json', 'msgpack'],
    ),
  )
  .option('--transactions <N>', 'only the first N transactions of the trace (default: all)', wholeNumber())
  .option(TARGET, TARGET_TELLS)
  .addHelpText(
    'after',
    examples('npm run replay -- test/data/traces/clownschool.json.gz --kind yjs --transactions 5000'),
  );

/** A replay is a pipeline of one person's keystrokes, sent as fast as they are taken. */
const NODE_SETTINGS = ['limits.submitsPerSecond=1000000'];

const ENDS: Readonly<Record<ReplayVerdict['end'], string>> = {
  recorded: 'the end is the recorded one',
  tied: 'the end is not the recorded one, which hangs on ties: authors inserted at one place, and each order is right',
  transformed:
    'the end is not the recorded one: transformation has ties that Yjs does not have, where text between two insertions was deleted',
  other: 'the end is not the recorded one, although it hangs on no tie',
  unknown: 'the end was not compared with a recorded one',
};

/** A line that counts up, on a terminal alone. */
class Progress {
  readonly #total: number;
  #isShown = false;

  constructor(total: number) {
    this.#total = total;
  }

  show(committed: number): void {
    if (!process.stderr.isTTY) return;
    this.#isShown = true;
    process.stderr.write(`\r${committed} of ${this.#total}`);
  }

  end(): void {
    if (this.#isShown) process.stderr.write('\n');
  }
}

await runTool(command, async (signal) => {
  const { kind: only, encoding, transactions = Number.POSITIVE_INFINITY, target } = command.opts();
  const [file] = command.processedArgs;
  const trace = beginningOf(await readTrace(file), transactions);
  const name = basename(file)
    .replace(/\.json(\.gz)?$/, '')
    .replace(/[^A-Za-z0-9._~:@-]/g, '-');
  return await withNode(target, NODE_SETTINGS, async (url) => {
    let failures = 0;
    for (const kind of KINDS) {
      if (signal.aborted || (only !== undefined && kind !== only)) continue;
      const doc = `replay/${name}-${kind}-${Date.now().toString(36)}`;
      const { random } = Math;
      const progress = new Progress(trace.txns.length);
      const result = await replayTrace({
        url,
        trace,
        kind,
        doc,
        random,
        signal,
        ...(encoding === undefined ? {} : { encoding }),
        onProgress: (committed) => progress.show(committed),
      }).finally(() => progress.end());
      const logs = await readLogs({ url, random }, [doc]);
      const [log] = logs;
      if (log === undefined) throw new Error(`${doc} has no log`);
      const verdict = judgeReplay(trace, result, log);
      const faults = [
        ...check(logs, result.records).map(({ rule, detail }) => `${rule}: ${detail}`),
        ...verdict.faults,
      ];
      process.stdout.write(report(`${basename(file)} as ${kind}`, result, verdict, faults));
      if (faults.length > 0) failures += 1;
    }
    return failures === 0 ? 0 : 1;
  });
});

function report(
  what: string,
  result: ReplayResult,
  verdict: ReplayVerdict,
  faults: readonly string[],
): string {
  const { clients, transactions, committed, elapsedMs, isComplete, plan, exact, transformed } = result;
  const seconds = elapsedMs / 1000;
  const made =
    plan.mode === 'merged'
      ? 'edits were merged before they were sent, for lack of a common order'
      : `${exact} on the version that their author had seen, the others on a later one of its own; ${transformed} carried on by the server`;
  const head = faults.length > 0 ? 'WRONG' : isComplete ? 'right' : 'right so far';
  const lines = [
    `${head}: ${what}: ${committed} of ${transactions} transactions by ${clients} clients in ${seconds.toFixed(1)} s, ${Math.round(committed / seconds)} a second`,
    ...(what.endsWith('yjs') ? [] : [`  ${made}`]),
    `  ${ENDS[verdict.end]}`,
    ...faults.slice(0, 20).map((fault) => `  ${fault.slice(0, 1_000)}`),
  ];
  return `${lines.join('\n')}\n`;
}
