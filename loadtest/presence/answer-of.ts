// Asks a process of clients that a measurement has started.
import type { ChildProcess, Serializable } from 'node:child_process';
import { once } from 'node:events';

/** The process's next message, after this one. Rejects if the process ends first. */
export async function answerOf(child: ChildProcess, message: Serializable): Promise<unknown> {
  const over = new AbortController();
  const ended = once(child, 'exit', { signal: over.signal }).then(() =>
    Promise.reject(new Error('the process of the clients has ended')),
  );
  const answered = once(child, 'message', { signal: over.signal });
  child.send(message);
  try {
    return (await Promise.race([answered, ended]))[0];
  } finally {
    ended.catch(() => undefined);
    over.abort();
  }
}
