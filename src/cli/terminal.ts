// The terminal, or the reader, that a program's output goes to may go away first. The program goes on, and ends as
// it means to.
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Once, early: it sees which descriptors are terminals. */
export function outliveTerminal(): void {
  // That it is gone, the streams tell by an event that would end the process.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.once('exit', () => {
    // Node gives terminals their modes back at its end, and aborts where it cannot.
    for (const fd of terminals) if (!isatty(fd)) closeSync(fd);
  });
}
