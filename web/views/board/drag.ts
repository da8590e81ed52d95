// Dragging cards by mouse, pen or finger (after a short press). Shows a copy at the pointer and a line at the
// place where the card would land; reports the drop. It never moves a card itself, so the board may be
// redrawn under it at any time.

export interface DropTarget {
  readonly column: string;
  /** The card before which it would be put; undefined means last. */
  readonly before: string | undefined;
}

export interface DragEvents {
  drop(card: string, target: DropTarget): void;
}

const START_DISTANCE_PX = 5;
const TOUCH_PRESS_MS = 220;
const TOUCH_SLACK_PX = 8;
const EDGE_PX = 56;
const SCROLL_STEP_PX = 12;

interface Press {
  readonly pointer: number;
  readonly card: HTMLElement;
  readonly startX: number;
  readonly startY: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

interface Drag {
  readonly card: HTMLElement;
  readonly id: string;
  readonly ghost: HTMLElement;
  readonly line: HTMLElement;
  readonly grabX: number;
  readonly grabY: number;
  x: number;
  y: number;
  target: DropTarget | undefined;
  frame: number;
}

/** Makes the cards (`[data-card]`) in `board`'s columns (`[data-column]`) draggable. `strip` scrolls sideways. */
export function enableDragging(board: HTMLElement, strip: HTMLElement, events: DragEvents): void {
  let press: Press | undefined;
  let drag: Drag | undefined;

  board.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || !(event.target instanceof Element) || drag !== undefined) return;
    const card = event.target.closest<HTMLElement>('[data-card]');
    if (card === null || event.target.closest('button, textarea') !== null) return;
    const { pointerId: pointer, clientX: startX, clientY: startY } = event;
    release();
    press = { pointer, card, startX, startY, timer: undefined };
    if (event.pointerType === 'touch') press.timer = setTimeout(() => begin(startX, startY), TOUCH_PRESS_MS);
  });
  window.addEventListener('pointermove', (event) => {
    if (press === undefined || event.pointerId !== press.pointer) return;
    if (drag !== undefined) {
      drag.x = event.clientX;
      drag.y = event.clientY;
      return;
    }
    const distance = Math.hypot(event.clientX - press.startX, event.clientY - press.startY);
    if (press.timer !== undefined) {
      if (distance > TOUCH_SLACK_PX) release();
    } else if (distance > START_DISTANCE_PX) begin(event.clientX, event.clientY);
  });
  window.addEventListener('pointerup', (event) => {
    if (press?.pointer !== event.pointerId) return;
    if (drag !== undefined) {
      drag.x = event.clientX;
      drag.y = event.clientY;
      end(true);
    }
    release();
  });
  window.addEventListener('pointercancel', (event) => {
    if (press?.pointer !== event.pointerId) return;
    end(false);
    release();
  });
  window.addEventListener(
    'keydown',
    (event) => {
      if (event.key !== 'Escape' || drag === undefined) return;
      event.stopPropagation();
      end(false);
      release();
    },
    true,
  );
  // While a finger drags a card the page must not scroll along.
  board.addEventListener('touchmove', (event) => drag !== undefined && event.preventDefault(), {
    passive: false,
  });
  board.addEventListener('contextmenu', (event) => drag !== undefined && event.preventDefault());

  function release(): void {
    clearTimeout(press?.timer);
    press = undefined;
  }

  function begin(x: number, y: number): void {
    if (press === undefined || !press.card.isConnected || press.card.dataset.editing !== undefined) return;
    const { card, startX, startY } = press;
    clearTimeout(press.timer);
    press.timer = undefined;
    const box = card.getBoundingClientRect();
    const ghost = card.cloneNode(true) as HTMLElement;
    ghost.classList.add('ghost');
    ghost.removeAttribute('data-card');
    ghost.removeAttribute('tabindex');
    ghost.setAttribute('aria-hidden', 'true');
    ghost.style.width = `${box.width}px`;
    ghost.style.left = `${box.left}px`;
    ghost.style.top = `${box.top}px`;
    const line = document.createElement('div');
    line.className = 'drop-line';
    document.body.append(line, ghost);
    document.body.classList.add('dragging');
    card.classList.add('lifted');
    const id = card.dataset.card ?? '';
    drag = { card, id, ghost, line, grabX: startX, grabY: startY, x, y, target: undefined, frame: 0 };
    drag.frame = requestAnimationFrame(follow);
  }

  /** Runs once a frame: moves the copy to the pointer and the line to the place, and scrolls at the edges. */
  function follow(): void {
    if (drag === undefined) return;
    if (!drag.card.isConnected) {
      end(false);
      return;
    }
    drag.ghost.style.transform = `translate(${drag.x - drag.grabX}px, ${drag.y - drag.grabY}px) rotate(1.5deg)`;
    scrollAtEdges(strip, drag.x, drag.y);
    locate(drag);
    drag.frame = requestAnimationFrame(follow);
  }

  function locate(current: Drag): void {
    const found = targetAt(board, current.id, current.x, current.y);
    current.target = found?.target;
    current.line.hidden = found === undefined;
    if (found === undefined) return;
    current.line.style.left = `${found.left}px`;
    current.line.style.top = `${found.top - 1.5}px`;
    current.line.style.width = `${found.width}px`;
  }

  function end(drop: boolean): void {
    if (drag === undefined) return;
    const ended = drag;
    if (drop) locate(ended);
    drag = undefined;
    cancelAnimationFrame(ended.frame);
    ended.ghost.remove();
    ended.line.remove();
    ended.card.classList.remove('lifted');
    document.body.classList.remove('dragging');
    // The click that ends a drag is not a click on the card.
    const swallow = (event: Event): void => {
      event.stopPropagation();
      event.preventDefault();
    };
    window.addEventListener('click', swallow, { capture: true, once: true });
    setTimeout(() => window.removeEventListener('click', swallow, { capture: true }), 0);
    if (drop && ended.target !== undefined && ended.card.isConnected) events.drop(ended.id, ended.target);
  }
}

interface Found {
  readonly target: DropTarget;
  readonly left: number;
  readonly top: number;
  readonly width: number;
}

function targetAt(board: HTMLElement, id: string, x: number, y: number): Found | undefined {
  let column: HTMLElement | undefined;
  let nearest = Number.POSITIVE_INFINITY;
  for (const candidate of board.querySelectorAll<HTMLElement>('[data-column]')) {
    const { left, right } = candidate.getBoundingClientRect();
    const distance = Math.max(left - x, x - right, 0);
    if (distance < nearest) {
      nearest = distance;
      column = candidate;
    }
  }
  const list = column?.querySelector('ol');
  if (column === undefined || list === null || list === undefined) return undefined;
  const area = list.getBoundingClientRect();
  const cards = [...list.querySelectorAll<HTMLElement>('[data-card]')].filter(
    (card) => card.dataset.card !== id,
  );
  let bottom = area.top + 4;
  for (const card of cards) {
    const box = card.getBoundingClientRect();
    if (y < box.top + box.height / 2) {
      return found(column, card.dataset.card, area, (bottom + box.top) / 2);
    }
    bottom = box.bottom;
  }
  return found(column, undefined, area, bottom + (cards.length === 0 ? 0 : 4));
}

function found(column: HTMLElement, before: string | undefined, area: DOMRect, top: number): Found {
  return { target: { column: column.dataset.column ?? '', before }, left: area.left, top, width: area.width };
}

function scrollAtEdges(strip: HTMLElement, x: number, y: number): void {
  const box = strip.getBoundingClientRect();
  if (x < box.left + EDGE_PX) strip.scrollLeft -= SCROLL_STEP_PX;
  else if (x > box.right - EDGE_PX) strip.scrollLeft += SCROLL_STEP_PX;
  if (y < EDGE_PX) window.scrollBy(0, -SCROLL_STEP_PX);
  else if (y > window.innerHeight - EDGE_PX) window.scrollBy(0, SCROLL_STEP_PX);
}
