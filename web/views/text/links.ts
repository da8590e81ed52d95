// Links in the editor: a bubble at a pressed link, which opens, changes or removes the link, and the dialog
// behind Ctrl+K and the toolbar's button. Only addresses that a browser opens as pages, mails or calls are
// followed.
import type { Delta } from '../../../client/ot/delta.ts';
import { el } from '../../dom.ts';
import { askLink } from '../../frame/dialogs.ts';
import type { Quill } from './quill.ts';

interface LinkRange {
  readonly index: number;
  readonly length: number;
  readonly url: string;
}

const FOLLOWED = /^(?:https?|mailto|tel|sms):/i;

export class Links {
  readonly #quill: Quill;
  readonly #bubble = el('div', { class: 'link-bubble', attrs: { role: 'group', 'aria-label': 'Link' } });
  #closing: AbortController | undefined;

  constructor(quill: Quill) {
    this.#quill = quill;
    quill.root.addEventListener('click', (event) => this.#clicked(event));
    quill.on('text-change', () => this.#close());
  }

  /** Asks for the address of the selection, of the link at the caret, or of a new link. */
  async edit(): Promise<void> {
    this.#close();
    const selection = this.#quill.getSelection(true);
    const link = this.#linkAt(selection.index) ?? this.#linkAt(selection.index - 1);
    const range = selection.length === 0 && link !== undefined ? link : selection;
    const current = this.#quill.getFormat(range.index, range.length).link;
    const answer = await askLink(typeof current === 'string' ? current : '');
    this.#quill.setSelection(selection, 'silent');
    this.#quill.focus();
    if (answer === undefined) return;
    this.#quill.history.cutoff();
    if (range.length > 0) {
      const { index, length } = range;
      this.#quill.formatText(index, length, 'link', answer === '' ? false : answer, 'user');
    } else if (answer !== '') {
      this.#quill.insertText(range.index, answer, { link: answer }, 'user');
      this.#quill.setSelection(range.index + answer.length, 0, 'silent');
      this.#quill.format('link', false, 'silent');
    }
    this.#quill.history.cutoff();
  }

  #clicked(event: MouseEvent): void {
    const anchor = event.target instanceof Element ? event.target.closest('a') : null;
    if (anchor === null) return;
    event.preventDefault();
    const url = anchor.getAttribute('href') ?? '';
    if ((event.ctrlKey || event.metaKey) && FOLLOWED.test(url)) {
      window.open(url, '_blank', 'noopener,noreferrer');
      return;
    }
    this.#show(anchor, url);
  }

  #show(anchor: HTMLElement, url: string): void {
    this.#close();
    const open = el('a', {
      class: 'link-open',
      text: url,
      title: url,
      attrs: { href: url, target: '_blank', rel: 'noopener noreferrer', 'aria-label': `Open ${url}` },
    });
    const change = el('button', {
      class: 'button quiet',
      text: 'Change',
      attrs: { type: 'button' },
      on: { click: () => void this.edit() },
    });
    const remove = el('button', {
      class: 'button quiet',
      text: 'Remove',
      attrs: { type: 'button', 'aria-label': 'Remove link' },
      on: { click: () => this.#remove() },
    });
    const followed = FOLLOWED.test(url) ? open : el('span', { class: 'link-open', text: url });
    this.#bubble.replaceChildren(...(this.#quill.isEnabled() ? [followed, change, remove] : [followed]));
    document.body.append(this.#bubble);
    const at = anchor.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, window.innerWidth - this.#bubble.offsetWidth - 8));
    this.#bubble.style.left = `${left}px`;
    this.#bubble.style.top = `${at.bottom + 4}px`;
    this.#closeWithAnythingElse();
  }

  #closeWithAnythingElse(): void {
    this.#closing = new AbortController();
    const { signal } = this.#closing;
    const outside = (event: Event): void => {
      if (event.target instanceof Node && !this.#bubble.contains(event.target)) this.#close();
    };
    document.addEventListener('pointerdown', outside, { capture: true, signal });
    document.addEventListener('scroll', () => this.#close(), { capture: true, signal });
    document.addEventListener('keydown', (event) => event.key === 'Escape' && this.#close(), { signal });
    window.addEventListener('resize', () => this.#close(), { signal });
  }

  #close(): void {
    this.#closing?.abort();
    this.#closing = undefined;
    this.#bubble.remove();
  }

  #remove(): void {
    this.#close();
    const { index } = this.#quill.getSelection(true);
    const link = this.#linkAt(index) ?? this.#linkAt(index - 1);
    if (link === undefined) return;
    this.#quill.history.cutoff();
    this.#quill.formatText(link.index, link.length, 'link', false, 'user');
    this.#quill.history.cutoff();
  }

  /** The whole link to which the character at `index` belongs, across all formats of its text. */
  #linkAt(index: number): LinkRange | undefined {
    if (index < 0) return undefined;
    const [line, offset] = this.#quill.getLine(index);
    if (line === null) return undefined;
    const links: LinkRange[] = [];
    let start = index - offset;
    const contents: Delta = this.#quill.getContents(start, line.length());
    for (const { insert, attributes } of contents.ops) {
      const length = typeof insert === 'string' ? insert.length : 1;
      const url = attributes?.link;
      const last = links.at(-1);
      if (typeof url === 'string') {
        if (last?.url === url && last.index + last.length === start)
          links[links.length - 1] = { ...last, length: last.length + length };
        else links.push({ index: start, length, url });
      }
      start += length;
    }
    return links.find((link) => link.index <= index && index < link.index + link.length);
  }
}
