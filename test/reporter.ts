// Prints the output of `npm test`: node's own report, and after it one paragraph for each failed test, so
// that the failures and their reasons are the last lines on the screen.
import { relative } from 'node:path';
import { Readable } from 'node:stream';
import type { TestEvent } from 'node:test/reporters';
import { spec } from 'node:test/reporters';

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const failed: string[] = [];
  const noting = async function* (): AsyncGenerator<TestEvent> {
    for await (const event of events) {
      const failure = failureIn(event);
      if (failure !== undefined) failed.push(failure);
      yield event;
    }
  };
  const output = Readable.from(noting()).pipe(new spec());
  for await (const text of output) yield String(text);
  if (failed.length > 0) yield `\nFailed: ${failed.length}\n\n${failed.join('\n\n')}\n`;
}

/**
 * The file, name and message of a failed test. A test that failed only because of a test within it has no
 * message of its own.
 */
function failureIn(event: TestEvent): string | undefined {
  if (event.type !== 'test:fail') return undefined;
  const { name, file, todo, details } = event.data;
  const { error } = details;
  if (todo || (error && 'failureType' in error && error.failureType === 'subtestsFailed')) return undefined;
  const cause = error?.cause instanceof Error ? error.cause.message : (error?.cause ?? error?.message);
  const place = file === undefined ? '' : `${relative(process.cwd(), file)}: `;
  return `✖ ${place}${name}\n  ${String(cause).trimEnd().replaceAll('\n', '\n  ')}`;
}
