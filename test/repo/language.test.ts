// The language of comments and of test titles: a sentence names its subject. It does not begin with a relative
// clause, such as "Who is dead: ..." or "What it was told last.", from which the reader has to guess the subject.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FOLDERS, root, sources } from './sources.ts';

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
  const found = FOLDERS.flatMap(sources)
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
