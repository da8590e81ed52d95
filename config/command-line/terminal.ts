// Keeps a program alive when the terminal or the reader of its output goes away first. The program goes on,
// and ends in its own way.
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Call once, early: it notes which descriptors are terminals. */
export function outliveTerminal(): void {
  // A stream whose terminal is gone emits an error, which would otherwise end the process.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.once('exit', () => {
    // Node restores the modes of terminals when it ends, and aborts if it cannot.
    for (const fd of terminals) if (!isatty(fd)) closeSync(fd);
  });
}
