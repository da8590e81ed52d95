// `npm run documents`: its options and its output.
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool, toolCommand } from '../command-line/command.ts';
import { documents } from './documents.ts';

const command = toolCommand('documents')
  .description(
    'Measure what documents of kind yjs cost that exist, and those that are open: bytes in PostgreSQL, and memory of the node.',
  )
  .option('--documents <N>', 'documents that exist', wholeNumber(1), 100_000)
  .option(
    '--typed <N>',
    'those among them that are typed; the others are copies of their rows',
    wholeNumber(1),
    2_000,
  )
  .option('--open <N>', 'documents that are open', wholeNumber(1), 1_000)
  .option('--bytes <N>', 'bytes of text in each document, in ten edits', wholeNumber(10), 1_000)
  .addHelpText('after', examples('npm run documents -- --documents 10000 --bytes 20000'));

await runTool(command, async (signal) => {
  const options = command.opts();
  if (options.open > options.documents) throw new Error('--open is above --documents');
  const onProgress = (made: number): void => {
    if (made % 10_000 === 0) process.stderr.write(`${made} documents\n`);
  };
  const { stored, freshBytes, knownBytes, openBytes, eachBytes } = await documents({
    ...options,
    signal,
    onProgress,
  });
  const kB = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} kB`;
  const lines = [
    ...[...stored].map(([table, bytes]) => `${table}: ${kB(bytes)} for each document`),
    `in PostgreSQL: ${kB([...stored.values()].reduce((sum, bytes) => sum + bytes, 0))} for each document`,
    ...(options.typed < options.documents
      ? [`${options.typed} documents were typed; the others are copies of their rows under other names`]
      : []),
    `memory of the node: ${kB(freshBytes)} without documents, ${kB(knownBytes)} with ${options.documents} in its database`,
    `memory of the node with ${options.open} open: ${kB(openBytes)}, ${kB(eachBytes)} for each of them`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
});
