// A worker thread that dies on demand: a rich-text patch that inserts KILL ends the thread, as running
// out of memory would; KILL-ONCE does so the first time that it is seen by this process. After HANG and HANG-ONCE the
// thread never takes another message.

import { existsSync, writeFileSync } from 'node:fs';
import run from '../../actors/worker.ts';
import type { Delta } from '../../kinds/rich-text/delta.ts';
import { richTextKind } from '../../kinds/rich-text/rich-text.ts';

const { commit } = richTextKind;

richTextKind.commit = (state, op, past, limits) => {
  for (const text of inserts(op)) {
    if (text === 'KILL') process.exit(1);
    if (text === 'HANG') hang();
    // KILL-ONCE <path>: the file tells the next incarnation that it has happened.
    const path = /^KILL-ONCE (.+)$/.exec(text)?.[1];
    if (path !== undefined && !existsSync(path)) {
      writeFileSync(path, '');
      process.exit(1);
    }
    const hangPath = /^HANG-ONCE (.+)$/.exec(text)?.[1];
    if (hangPath !== undefined && !existsSync(hangPath)) {
      writeFileSync(hangPath, '');
      hang();
    }
  }
  return commit(state, op, past, limits);
};

/** Never comes back to its event loop. It rests nine tenths of the time, so that other threads have the processor. */
function hang(): never {
  const rest = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const end = performance.now() + 5;
    while (performance.now() < end);
    Atomics.wait(rest, 0, 0, 45);
  }
}

const inserts = (op: Delta): string[] =>
  op.flatMap((step) => (typeof step.insert === 'string' ? [step.insert] : []));

export default run;
