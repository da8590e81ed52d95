// Quill's undo handed to the shared document. Quill's own history would take back what others typed, so
// while this holds, its module records nothing and its keys, its menu and its methods lead here.
import type Quill from 'quill';

export interface UndoActions {
  undo(): void;
  redo(): void;
  /** The next edit is to be undone by itself. */
  group(): void;
}

/** Returns what gives the editor its own history back. */
export function shareHistory(quill: Quill, actions: UndoActions): () => void {
  const { history } = quill;
  let shared = true;
  history.clear();
  const own = { record: history.record, change: history.change, cutoff: history.cutoff };
  history.record = () => {};
  // Where undo() and redo() of the module and its key bindings come together.
  history.change = (source) => (source === 'undo' ? actions.undo() : actions.redo());
  history.cutoff = () => actions.group();
  // Quill binds it on Windows only; a binding cannot be taken away again.
  quill.keyboard.addBinding({ key: 'y', ctrlKey: true }, () => {
    if (shared) actions.redo();
    return !shared;
  });
  return () => {
    shared = false;
    Object.assign(history, own);
  };
}
