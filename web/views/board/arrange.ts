// Brings a list of elements into order with few moves, keeps the focus where it was, and lets moved elements
// glide to their new place. Knows elements only, nothing of boards.

const GLIDE_MS = 180;
/** Above this many elements gliding costs more than it helps. */
const GLIDE_MOST = 300;

/** Makes `children` the children of `parent`, in this order; others of `parent`'s children are removed. */
export function arrange(parent: Element, children: readonly Element[]): void {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, index) => {
    const there = parent.children[index];
    if (there === child) return;
    // An element that moved towards the end would make all elements after it move: it moves instead of them.
    if (there !== undefined && there.nextElementSibling === child) parent.append(there);
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}

/** Runs `change`, then gives the focus and the text selection back if moving elements took them away. */
export function keepingFocus(change: () => void): void {
  const focused = document.activeElement;
  const box = focused instanceof HTMLTextAreaElement ? focused : undefined;
  const selection = box === undefined ? undefined : ([box.selectionStart, box.selectionEnd] as const);
  change();
  if (!(focused instanceof HTMLElement) || focused === document.activeElement || !focused.isConnected) return;
  focused.focus({ preventScroll: true });
  if (box !== undefined && selection !== undefined) box.setSelectionRange(...selection);
}

/** Runs `change` and glides those of `elements` that it moved. */
export function gliding(elements: Iterable<HTMLElement>, change: () => void): void {
  const list = [...elements];
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (still || list.length > GLIDE_MOST) {
    change();
    return;
  }
  const before = new Map(list.map((element) => [element, element.getBoundingClientRect()]));
  change();
  for (const [element, from] of before) {
    if (!element.isConnected || from.width === 0) continue;
    const to = element.getBoundingClientRect();
    const x = from.left - to.left;
    const y = from.top - to.top;
    if (x === 0 && y === 0) continue;
    const frames = [{ transform: `translate(${x}px, ${y}px)` }, { transform: 'none' }];
    element.animate(frames, { duration: GLIDE_MS, easing: 'cubic-bezier(0.2, 0, 0, 1)' });
  }
}
