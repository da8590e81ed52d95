// A menu at a button: opens below it, moves by arrow keys, closes on Escape, Tab, choice or a press
// elsewhere, and gives the focus back. One menu is open at a time.
import { el } from '../dom.ts';

export interface MenuItem {
  readonly label: string;
  /** The keyboard shortcut to show beside it. */
  readonly keys?: string;
  /** A second line below the label. */
  readonly detail?: string;
  readonly danger?: boolean;
  run(): void;
}

let closeOpen: ((restoreFocus: boolean) => void) | undefined;

export function openMenu(anchor: HTMLElement, label: string, items: readonly MenuItem[]): void {
  closeOpen?.(false);
  const menu = el('div', { class: 'menu', attrs: { role: 'menu', 'aria-label': label } });
  const buttons = items.map((item) => {
    const button = el(
      'button',
      {
        class: 'menu-item',
        attrs: { type: 'button', role: 'menuitem', tabindex: '-1', 'data-danger': item.danger === true },
      },
      el(
        'span',
        { class: 'menu-label' },
        item.label,
        item.detail === undefined ? undefined : el('small', { text: item.detail }),
      ),
      item.keys === undefined ? undefined : el('kbd', { text: item.keys }),
    );
    button.addEventListener('click', () => {
      close(true);
      item.run();
    });
    return button;
  });
  menu.append(...buttons);
  document.body.append(menu);
  anchor.setAttribute('aria-expanded', 'true');
  place(menu, anchor);
  buttons[0]?.focus();

  const onPointer = (event: PointerEvent): void => {
    if (event.target instanceof Node && !menu.contains(event.target)) close(false);
  };
  const onKey = (event: KeyboardEvent): void => {
    const index =
      document.activeElement instanceof HTMLButtonElement ? buttons.indexOf(document.activeElement) : -1;
    const go = (to: number): void => buttons[(to + buttons.length) % buttons.length]?.focus();
    if (event.key === 'Escape' || event.key === 'Tab') close(true);
    else if (event.key === 'ArrowDown') go(index + 1);
    else if (event.key === 'ArrowUp') go(index - 1);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(-1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onScroll = (): void => close(false);
  function close(restoreFocus: boolean): void {
    closeOpen = undefined;
    document.removeEventListener('pointerdown', onPointer, true);
    window.removeEventListener('resize', onScroll);
    document.removeEventListener('scroll', onScroll, true);
    anchor.setAttribute('aria-expanded', 'false');
    menu.remove();
    if (restoreFocus) anchor.focus();
  }
  closeOpen = close;
  menu.addEventListener('keydown', onKey);
  document.addEventListener('pointerdown', onPointer, true);
  window.addEventListener('resize', onScroll);
  document.addEventListener('scroll', onScroll, true);
}

function place(menu: HTMLElement, anchor: HTMLElement): void {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.max(8, Math.min(at.right - width, window.innerWidth - width - 8));
  const below = at.bottom + 4;
  const top = below + height > window.innerHeight - 8 ? Math.max(8, at.top - height - 4) : below;
  menu.style.left = `${left}px`;
  menu.style.top = `${top}px`;
}
