// Takes the output gate out of the committers of this thread: what depends on a patch leaves before the patch is durable.
// The report that comes with the commit is left out. It would tell of an older version than the document has by then, and the
// document's own assertion would end the worker before any client is told something that is lost.
import { type CommitListener, Committer } from '../../actors/commit/committer.ts';

/** The returned function puts the gate back. */
export function takeOutGate(): () => void {
  const { prototype } = Committer;
  const { enqueue } = prototype;
  const deaf = new WeakMap<CommitListener, CommitListener>();
  prototype.enqueue = function (owner, row) {
    const listener = deaf.get(owner) ?? {
      durableTo: () => undefined,
      refusedByStore: (rows) => owner.refusedByStore(rows),
    };
    deaf.set(owner, listener);
    enqueue.call(this, listener, row);
    queueMicrotask(() => owner.durableTo(row.version));
  };
  return () => {
    prototype.enqueue = enqueue;
  };
}
