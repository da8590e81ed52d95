// The language of comments and of test titles: a sentence names its subject. It does not begin with a relative
// clause, such as "Who is dead: ..." or "What it was told last.", from which the reader has to guess the subject.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ALL_FOLDERS, root, sources } from './sources.ts';

const RELATIVE = /^(?:What|Who|Whoever|Whatever|Whose|Whom|Nobody who)\b(?!.*\?$)/;

/** The comments of a text that stand on lines of their own, each with its first line. */
function comments(text: string): { readonly line: number; readonly text: string }[] {
  const found: { line: number; text: string }[] = [];
  let open: { line: number; text: string } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const [, words] = /^\s*(?:\/\/|\/\*\*?|\*(?!\/))\s?(.*?)(?:\s*\*\/)?$/.exec(line) ?? [];
    // An empty line of a comment ends a paragraph, and with it a sentence.
    if (words === undefined || words === '' || /^\s*\/\*\*/.test(line)) open = undefined;
    if (words === undefined || words === '') continue;
    if (open === undefined) {
      open = { line: index + 1, text: words };
      found.push(open);
    } else open.text += ` ${words}`;
  }
  return found;
}

/** The sentences that begin with a relative clause. */
function relativeIn(text: string): string[] {
  return comments(text).flatMap((comment) =>
    comment.text
      .split(/(?<=[.!?]) +/)
      .filter((sentence) => RELATIVE.test(sentence))
      .map((sentence) => `${comment.line}: ${sentence}`),
  );
}

test('a sentence of a comment names its subject', () => {
  const text = `| // It ends. Who is dead
    | // is told later.
    |  /** What it was told last. */
    | /**
    |  * The answers. Whoever asks
    |  * gets one. What for?
    |  */
    | const shown = 'x'; // What is shown`.replaceAll(/^ *\| ?/gm, '');
  assert.deepEqual(relativeIn(text), [
    '1: Who is dead is told later.',
    '3: What it was told last.',
    '5: Whoever asks gets one.',
  ]);
  const found = ALL_FOLDERS.flatMap(sources)
    .filter((file) => file !== join('test', 'repo', 'language.test.ts'))
    .flatMap((file) => relativeIn(readFileSync(join(root, file), 'utf8')).map((at) => `${file}:${at}`));
  assert.deepEqual(found, []);
});

test('a test title names its subject', () => {
  const found = sources('test').flatMap((file) => {
    const titles = readFileSync(join(root, file), 'utf8').matchAll(
      /^\s*(?:(?:\w+\.)?test|inBoth|rule)\(\s*['"`]((?:[A-Z]+-\d+ )*(?:what|who|whoever|whom|whose) [^'"`]*)/gm,
    );
    return [...titles].map(([, title]) => `${file}: ${title}`);
  });
  assert.deepEqual(found, []);
});

/**
 * Verbs that a line of the log may have. The list is short on purpose: a new verb is added here by the author who needs
 * it, and a line without a verb, such as "peer up" or "shards claimed", is found.
 */
const VERB =
  /\b(?:is|are|was|were|has|have|can|cannot|could|does|do|would|will|ends|failed|reports|reach|leaves|serves|stops|takes|turn|confirms)\b/;
/** Words with which a line begins that has no subject. */
const NO_SUBJECT = /^(?:is|are|was|were|has|have|can|cannot|could|does|do|not|no longer|again|[a-z]+ing)\b/;

/** The messages of the log in a text: the literals of `log('info', …)`, `log.info({…}, …)` and `log.info(…)`. */
function logLines(text: string): string[] {
  const calls = [
    /\b#?log\(\s*(?:'(?:info|warn|error)'|level|[^,'`]{1,60}\? '\w+' : '\w+'),\s*(?:\w+ === '\w+' \? )?(['`])(.*?)\1(?: : (['`])(.*?)\3)?/gs,
    /\blog(?:ger)?\.(?:info|warn|error|fatal)\((?:\{[^}]*\}|\w+)?,?\s*(['`])(.*?)\1/gs,
  ];
  return calls.flatMap((call) =>
    [...text.matchAll(call)].flatMap((match) => [match[2], match[4]].filter((line) => line !== undefined)),
  );
}

test('a line of the log is a sentence, with a subject and a verb', () => {
  const text = `| log('info', 'peer up', { peer });
    | this.#log(level, level === 'info' ? 'a node has left' : 'refused', {});
    | log.warn({ reason: x }, 'is not ready');
    | log.info('this node serves again');
    | options.log(
    |   'warn',
    |   \`shards claimed\`,`.replaceAll(/^ *\| ?/gm, '');
  const isSentence = (line: string): boolean => VERB.test(line) && !NO_SUBJECT.test(line);
  const broken = (source: string): string[] => logLines(source).filter((line) => !isSentence(line));
  assert.deepEqual(broken(text).sort(), ['is not ready', 'peer up', 'refused', 'shards claimed']);
  const lines = ['actors', 'cluster', 'src']
    .flatMap(sources)
    .flatMap((file) => logLines(readFileSync(join(root, file), 'utf8')).map((line) => ({ file, line })));
  assert.ok(lines.length > 50, `${lines.length} lines of the log were found`);
  assert.deepEqual(
    lines.filter(({ line }) => !isSentence(line)),
    [],
  );
});
