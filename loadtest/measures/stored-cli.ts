// `npm run stored`: its options and its output.
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool, toolCommand } from '../command-line/command.ts';
import { readTrace } from '../replay/trace.ts';
import { type Stored, stored, WORKLOAD_NAMES } from './stored.ts';

const command = toolCommand('stored')
  .description('Measure the bytes that edits take in PostgreSQL, for several workloads on nodes of its own.')
  .argument('<FILE>', 'a recorded trace: .json or .json.gz of the editing-traces collection')
  .option('--edits <N>', 'edits of each workload but that of visits', wholeNumber(), 5_000)
  .option('--main <FILE>', 'dist/src/main.js of another build, to compare with (default: this build)')
  .addHelpText('after', examples('npm run stored -- test/data/traces/sveltecomponent.json.gz --edits 1000'));

const HEADINGS = [
  'workload',
  'edits',
  'B/edit',
  'log',
  'snapshots',
  'number',
  'their state',
  'clients',
  'WAL/edit',
];

await runTool(command, async (signal) => {
  const { edits, main } = command.opts();
  const [file] = command.processedArgs;
  const trace = await readTrace(file);
  process.stdout.write(`${row(HEADINGS)}\n`);
  for (const workload of WORKLOAD_NAMES) {
    if (signal.aborted) break;
    const options = { trace, edits, signal, ...(main === undefined ? {} : { main }) };
    process.stdout.write(`${report(await stored(workload, options))}\n`);
  }
  return 0;
});

function report(found: Stored): string {
  const {
    workload,
    edits,
    editBytes,
    logBytes,
    snapshotBytes,
    snapshots,
    stateBytes,
    clientBytes,
    walBytes,
  } = found;
  const each = (bytes: number): string => (bytes / edits).toFixed(0);
  const kB = (bytes: number): string => `${(bytes / 1_000).toFixed(0)} kB`;
  return row([
    workload,
    String(edits),
    each(editBytes),
    kB(logBytes),
    kB(snapshotBytes),
    String(snapshots),
    kB(stateBytes),
    kB(clientBytes),
    each(walBytes),
  ]);
}

function row(cells: readonly string[]): string {
  return cells.map((cell) => cell.padStart(12)).join('');
}
