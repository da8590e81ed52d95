// Shows one version of a board, to read: its columns with their cards. A card that was written or moved in the chosen period
// has the colour of its author.
import { el } from '../dom.ts';
import { readBoard } from '../views/board/model.ts';
import type { MarkedJson } from './marks.ts';

/** `paint` gives an element the colour of an author. */
export function boardPreview(
  { content, by }: MarkedJson,
  paint: (element: HTMLElement, author: string) => void,
): HTMLElement {
  const authorOf = (pointer: string): string | undefined => {
    for (let at = pointer; ; at = at.slice(0, at.lastIndexOf('/'))) {
      if (by.has(at)) return by.get(at);
      if (at === '') return undefined;
    }
  };
  const line = (text: string, ...pointers: string[]): HTMLElement => {
    const element = el('p', { class: 'history-card', text: text || 'Untitled' });
    const author = pointers.map(authorOf).find((each) => each !== undefined);
    if (author !== undefined) paint(element, author);
    return element;
  };
  const { title, columns } = readBoard(content);
  return el(
    'div',
    {},
    title === '' ? undefined : line(title, '/title'),
    el(
      'div',
      { class: 'history-columns' },
      ...columns.map((column) =>
        el(
          'section',
          {},
          el('h3', { text: column.title || 'Untitled column' }),
          ...column.cards.map(({ id, title: card }) => line(card, `/card:${id}/title`, `/card:${id}/at`)),
        ),
      ),
    ),
  );
}
