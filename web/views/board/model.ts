// The task board as a `json` document: the meaning of its members, and the patches that edit it. Pure.
//
// Everything is a member of the root, keyed by id, so that nothing has to be created before something else
// and no edit shifts another's path:
//   /title           the board's title
//   /column:ID       {title, order}; null takes one of the first three columns away
//   /card:ID         {title, at: {column, order}}
// A card's place is one member, so of two concurrent moves the later wins whole, while a move and a new title
// both stay. Removing a card wins over concurrent edits of it. A new board has three columns without any
// write. A card whose column is gone stands in the first one.
import type { JsonStep } from '../../../client/index.ts';
import type { Json } from '../../../protocol/messages.ts';
import { firstCharacters } from '../../graphemes.ts';
import { compareKeys, isOrderKey, keyBetween } from './order.ts';

export interface Card {
  readonly id: string;
  readonly title: string;
  readonly order: string;
}
export interface Column {
  readonly id: string;
  readonly title: string;
  readonly order: string;
  /** Whether the document has this member; the first three columns need none. */
  readonly stored: boolean;
  readonly cards: readonly Card[];
}
export interface Board {
  readonly title: string;
  readonly columns: readonly Column[];
}

export const TITLE_LENGTH = 500;

const FIRST_COLUMNS = [
  { id: 'todo', title: 'To do', order: 'A000' },
  { id: 'doing', title: 'In progress', order: 'K000' },
  { id: 'done', title: 'Done', order: 'U000' },
] as const;

/** The board in a document's content. Ignores members of other shapes, which do not belong to the board. */
export function readBoard(content: Json): Board {
  const members = isObject(content) ? content : {};
  const columns = new Map<
    string,
    { id: string; title: string; order: string; stored: boolean; cards: Card[] }
  >();
  for (const first of FIRST_COLUMNS) {
    if (members[`column:${first.id}`] !== null) columns.set(first.id, { ...first, stored: false, cards: [] });
  }
  for (const [key, member] of Object.entries(members)) {
    if (!key.startsWith('column:') || !isObject(member)) continue;
    const id = key.slice('column:'.length);
    columns.set(id, { id, title: text(member.title), order: orderOf(member.order), stored: true, cards: [] });
  }
  const sorted = [...columns.values()].sort(byOrder);
  for (const [key, member] of Object.entries(members)) {
    if (!key.startsWith('card:') || !isObject(member) || !isObject(member.at)) continue;
    const column = columns.get(text(member.at.column)) ?? sorted[0];
    column?.cards.push({
      id: key.slice('card:'.length),
      title: text(member.title),
      order: orderOf(member.at.order),
    });
  }
  for (const column of sorted) column.cards.sort(byOrder);
  return { title: text(members.title), columns: sorted };
}

/** Whether the content is a board or empty; any other content belongs to another program. */
export function isBoard(content: Json): boolean {
  const keys = isObject(content) ? Object.keys(content) : undefined;
  if (keys === undefined) return false;
  return keys.every((key) => key === 'title') || keys.some((key) => /^(column|card):/.test(key));
}

export type Random = () => number;
/** A place to insert at: before the neighbour with this id, or last. */
export interface Spot {
  readonly before: string | undefined;
}

export function addCard(
  board: Board,
  id: string,
  column: string,
  title: string,
  spot: Spot,
  random: Random,
): JsonStep[] {
  const at = { column, order: cardOrder(board, id, column, spot, random) };
  return [{ op: 'add', path: `/card:${id}`, value: { title: firstCharacters(title, TITLE_LENGTH), at } }];
}

export function moveCard(board: Board, id: string, column: string, spot: Spot, random: Random): JsonStep[] {
  const order = cardOrder(board, id, column, spot, random);
  return [{ op: 'add', path: `/card:${id}/at`, value: { column, order } }];
}

export const renameCard = (id: string, title: string): JsonStep[] => [
  { op: 'add', path: `/card:${id}/title`, value: firstCharacters(title, TITLE_LENGTH) },
];

export const removeCard = (id: string): JsonStep[] => [{ op: 'remove', path: `/card:${id}` }];

export const renameBoard = (title: string): JsonStep[] => [
  { op: 'add', path: '/title', value: firstCharacters(title, TITLE_LENGTH) },
];

export function addColumn(board: Board, id: string, title: string, random: Random): JsonStep[] {
  const order = keyBetween(board.columns.at(-1)?.order, undefined, random);
  return [
    { op: 'add', path: `/column:${id}`, value: { title: firstCharacters(title, TITLE_LENGTH), order } },
  ];
}

export function renameColumn(column: Column, title: string): JsonStep[] {
  return writeColumn(column, { title: firstCharacters(title, TITLE_LENGTH) });
}

/** Moves a column one place to the left or right; no steps if there is no such place. */
export function moveColumn(board: Board, id: string, step: -1 | 1, random: Random): JsonStep[] {
  const index = board.columns.findIndex((column) => column.id === id);
  const column = board.columns[index];
  const neighbour = board.columns[index + step];
  if (column === undefined || neighbour === undefined) return [];
  const beyond = board.columns[index + 2 * step];
  const order =
    step === 1
      ? keyBetween(neighbour.order, beyond?.order, random)
      : keyBetween(beyond?.order, neighbour.order, random);
  return writeColumn(column, { order });
}

/** Removes a column with its cards. */
export function removeColumn(column: Column): JsonStep[] {
  const path = `/column:${column.id}`;
  const first = FIRST_COLUMNS.some(({ id }) => id === column.id);
  const gone: JsonStep = first ? { op: 'add', path, value: null } : { op: 'remove', path };
  return [...column.cards.map((card): JsonStep => ({ op: 'remove', path: `/card:${card.id}` })), gone];
}

/** The place of a card: its column and its index there. */
export function findCard(
  board: Board,
  id: string,
): { column: Column; index: number; card: Card } | undefined {
  for (const column of board.columns) {
    const index = column.cards.findIndex((card) => card.id === id);
    const card = column.cards[index];
    if (card !== undefined) return { column, index, card };
  }
  return undefined;
}

function cardOrder(board: Board, id: string, columnId: string, spot: Spot, random: Random): string {
  const column = board.columns.find((candidate) => candidate.id === columnId);
  const others = (column?.cards ?? []).filter((card) => card.id !== id);
  const index = others.findIndex((card) => card.id === spot.before);
  return index < 0
    ? keyBetween(others.at(-1)?.order, undefined, random)
    : keyBetween(others[index - 1]?.order, others[index]?.order, random);
}

function writeColumn(column: Column, fields: { title?: string; order?: string }): JsonStep[] {
  const path = `/column:${column.id}`;
  if (!column.stored) {
    return [{ op: 'add', path, value: { title: column.title, order: column.order, ...fields } }];
  }
  return Object.entries(fields).map(
    ([name, value]): JsonStep => ({ op: 'add', path: `${path}/${name}`, value }),
  );
}

function byOrder(a: { order: string; id: string }, b: { order: string; id: string }): number {
  return compareKeys(a.order, b.order) || compareKeys(a.id, b.id);
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const orderOf = (value: Json | undefined): string => (isOrderKey(value) ? value : 'z');
const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
