// `npm run stored -- TRACE [--edits N] [--main FILE]`
import { countOption, readOptions, runCommand } from '../cli-options.ts';
import { readTrace } from '../replay/trace.ts';
import { type Stored, stored, WORKLOAD_NAMES } from './stored.ts';

const USAGE = `usage: npm run stored -- TRACE [--edits N] [--main FILE]
  TRACE     a .json or .json.gz file of the editing-traces collection
  --edits   of each workload but that of visits; default 5000
  --main    dist/src/main.js of another build, to compare with`;

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

await runCommand(USAGE, async () => {
  const { values, positionals } = readOptions(['edits', 'main'], 1);
  const edits = countOption('edits', values.edits, 5_000);
  const trace = await readTrace(positionals[0] ?? '');
  process.stdout.write(`${row(HEADINGS)}\n`);
  for (const workload of WORKLOAD_NAMES) {
    const options = { trace, edits, ...(values.main === undefined ? {} : { main: values.main }) };
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
