// `npm run soak -- [--sockets N] [--documents N] [--seconds N] [--rate N] [--seed N] [--url URL]`
import { countOption, readOptions, runCommand } from '../cli-options.ts';
import { megabytes } from '../statistics.ts';
import { withNode } from '../temporary-node.ts';
import { soakRun } from './soak.ts';

const USAGE = `usage: npm run soak -- [--sockets 2000] [--documents 200] [--seconds 60] [--rate 1] [--seed 1] [--url URL]
  --rate  edits per document and second`;

/** With this setting documents leave memory within the time that the soak waits for it. */
const NODE_SETTINGS = ['actors.idleMs=5000'];

await runCommand(USAGE, async () => {
  const { values } = readOptions(['sockets', 'documents', 'seconds', 'rate', 'seed', 'url'], 0);
  const sockets = countOption('sockets', values.sockets, 2000);
  const documents = countOption('documents', values.documents, 200);
  const seconds = countOption('seconds', values.seconds, 60);
  const rate = countOption('rate', values.rate, 1);
  const seed = countOption('seed', values.seed, Date.now() % 1_000_000, 0);
  return await withNode(values.url, NODE_SETTINGS, async (url, node) => {
    const onPhase = (line: string) => process.stdout.write(`${line}\n`);
    const result = await soakRun({ url, node, sockets, documents, seconds, rate, seed, onPhase });
    const { latency, edits, errors, losses, violations, memory } = result;
    process.stdout.write(
      `edit → commit: p50 ${latency.p50.toFixed(1)} ms, p99 ${latency.p99.toFixed(1)} ms, longest ${latency.max.toFixed(1)} ms\n` +
        `edits: ${JSON.stringify(edits)}\nerrors: ${JSON.stringify(errors)}, lost connections: ${JSON.stringify(losses)}\n`,
    );
    if (memory !== undefined) {
      const { before, during, after } = memory;
      process.stdout.write(
        `memory of the node: ${megabytes(before)} before, ${megabytes(during)} with all of them, ${megabytes(after)} after they left\n`,
      );
    }
    for (const { rule, doc, client, detail } of violations.slice(0, 50)) {
      process.stdout.write(`  ${rule} ${doc} ${client ?? ''}: ${detail}\n`);
    }
    const clean = violations.length === 0 && Object.keys(losses).length === 0 && edits.unknown === 0;
    process.stdout.write(clean && Object.keys(errors).length === 0 ? 'no error, no gap\n' : 'NOT CLEAN\n');
    return clean && Object.keys(errors).length === 0 ? 0 : 1;
  });
});
