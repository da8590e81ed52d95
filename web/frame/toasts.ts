// Short messages that pass: errors and confirmations, in the corner, read aloud. They disappear by themselves
// unless the pointer or the focus is on them. At most four are shown at once.
import { el, iconButton } from '../dom.ts';

export interface ToastOptions {
  tone?: 'plain' | 'error';
  /** A toast with the same key replaces the earlier one. */
  key?: string;
  /** Whether it stays until it is dismissed, since its message goes on being true. */
  stays?: boolean;
  /** A button in the toast. Pressing it removes the toast unless it stays. */
  action?: { readonly label: string; run(): void };
}

const SHOWN_MS = 6_000;
const ERROR_SHOWN_MS = 10_000;
const MOST = 4;

export class Toasts {
  readonly element = el('section', { class: 'toasts', attrs: { 'aria-label': 'Notifications' } });
  readonly #polite = el('div', { class: 'toast-list', attrs: { role: 'status', 'aria-live': 'polite' } });
  readonly #byKey = new Map<string, HTMLElement>();

  constructor() {
    this.element.append(this.#polite);
  }

  show(message: string, { tone = 'plain', key = message, action, stays = false }: ToastOptions = {}): void {
    this.dismiss(key);
    const toast = el('div', { class: 'toast', attrs: { 'data-tone': tone } }, el('p', { text: message }));
    if (action !== undefined) {
      const button = el('button', { class: 'toast-action', text: action.label, attrs: { type: 'button' } });
      button.addEventListener('click', () => {
        if (!stays) this.dismiss(key);
        action.run();
      });
      toast.append(button);
    }
    toast.append(iconButton('close', 'Dismiss', () => this.dismiss(key)));
    this.#byKey.set(key, toast);
    this.#polite.append(toast);
    while (this.#byKey.size > MOST) {
      const [oldest] = this.#byKey.keys();
      if (oldest !== undefined) this.dismiss(oldest);
    }
    if (!stays) this.#leaveAfter(toast, key, tone === 'error' ? ERROR_SHOWN_MS : SHOWN_MS);
  }

  dismiss(key: string): void {
    this.#byKey.get(key)?.remove();
    this.#byKey.delete(key);
  }

  #leaveAfter(toast: HTMLElement, key: string, delayMs: number): void {
    setTimeout(() => {
      if (this.#byKey.get(key) !== toast) return;
      if (toast.matches(':hover, :focus-within')) this.#leaveAfter(toast, key, delayMs);
      else this.dismiss(key);
    }, delayMs);
  }
}
