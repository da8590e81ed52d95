// A process that runs one command after the other, for tests of what commands print and how they end: a process for each
// would take most of the time of such tests. Its argument is a list of files and their arguments; it prints a list of
// outcomes. It runs commands that end by themselves, and none that starts a load.
import { pathToFileURL } from 'node:url';

export interface CommandLine {
  readonly file: string;
  readonly args: readonly string[];
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const lines: readonly CommandLine[] = JSON.parse(process.argv[2] ?? '[]');
const [node = '', own = ''] = process.argv;
const { stdout, stderr } = process;
const print = stdout.write.bind(stdout);
const outcomes: Outcome[] = [];
// Commands end their process when their work is done. This one goes on.
const { exit } = process;
process.exit = (() => undefined) as unknown as typeof exit;
for (const [place, { file, args }] of lines.entries()) {
  const told = { stdout: '', stderr: '' };
  const keep = (stream: keyof typeof told): typeof stdout.write =>
    ((text: string) => {
      told[stream] += text;
      return true;
    }) as typeof stdout.write;
  stdout.write = keep('stdout');
  stderr.write = keep('stderr');
  process.argv = [node, own, ...args];
  process.exitCode = 0;
  // A module runs once for each address.
  await import(`${pathToFileURL(file).href}?${place}`);
  outcomes.push({ code: Number(process.exitCode), ...told });
}
process.exitCode = 0;
print(JSON.stringify(outcomes), () => exit());
