// Quill's undo, redirected to the shared document. Quill's own history would take back the typing of others,
// so while the redirection holds, Quill's history module records nothing, and its keys, menu and methods call
// the document.
import type Quill from 'quill';

export interface UndoActions {
  undo(): void;
  redo(): void;
  /** Makes the next edit an undo group of its own. */
  group(): void;
}

/** Returns the function that gives the editor its own history back. */
export function shareHistory(quill: Quill, actions: UndoActions): () => void {
  const { history } = quill;
  let shared = true;
  history.clear();
  const own = { record: history.record, change: history.change, cutoff: history.cutoff };
  history.record = () => {};
  // The module's undo() and redo() and its key bindings all call this method.
  history.change = (source) => (source === 'undo' ? actions.undo() : actions.redo());
  history.cutoff = () => actions.group();
  // Quill binds this key on Windows only; a binding cannot be removed again.
  quill.keyboard.addBinding({ key: 'y', ctrlKey: true }, () => {
    if (shared) actions.redo();
    return !shared;
  });
  return () => {
    shared = false;
    Object.assign(history, own);
  };
}
