// The board as a json document: the results of concurrent edits, computed by the json kind itself.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { JsonStep } from '../../../client/index.ts';
import { jsonKind as json } from '../../../kinds/json/json.ts';
import type { KindLimits } from '../../../kinds/kind.ts';
import type { Json } from '../../../protocol/messages.ts';
import {
  addCard,
  addColumn,
  type Board,
  findCard,
  moveCard,
  moveColumn,
  readBoard,
  removeCard,
  removeColumn,
  renameCard,
  renameColumn,
} from '../../../web/views/board/model.ts';

const LIMITS: KindLimits = { documentBytes: 1 << 24, depth: 100, workMs: 50 };
const RUNS = 200 * Number(process.env.FUZZ_RUNS ?? 1);
const random = Math.random;
const last = { before: undefined };

/** Commits patches that were all made on `content`, in this order, as the server does. */
function commitAll(content: Json, patches: readonly (readonly JsonStep[])[]): Json {
  const state = json.load(content);
  const past: Parameters<typeof json.commit>[2][number][] = [];
  const undos: NonNullable<Parameters<typeof json.commit>[4]>['undos'][number][] = [];
  for (const patch of patches) {
    const parsed = json.parse(patch, LIMITS);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    const committed = json.commit(state, parsed.value, past, LIMITS, { undos });
    assert.ok(committed.ok, JSON.stringify(committed));
    past.push(committed.value.op);
    undos.push(committed.value.undo);
  }
  return json.snapshot(state) as Json;
}

function boardWith(...titles: string[]): Json {
  let content: Json = {};
  for (const title of titles) {
    content = commitAll(content, [addCard(readBoard(content), title, 'todo', title, last, random)]);
  }
  return content;
}

const titles = (board: Board, column: string): string[] =>
  board.columns.find(({ id }) => id === column)?.cards.map(({ title }) => title) ?? [];

test('board: a new document has three columns that nobody had to write', () => {
  const { columns } = readBoard({});
  assert.deepEqual(
    columns.map(({ id }) => id),
    ['todo', 'doing', 'done'],
  );
});

test('board: two cards added at once to an empty board both stay', () => {
  const board = readBoard({});
  const content = commitAll({}, [
    addCard(board, 'a', 'todo', 'A', last, random),
    addCard(board, 'b', 'todo', 'B', last, random),
  ]);
  assert.deepEqual(titles(readBoard(content), 'todo').sort(), ['A', 'B']);
});

test('board: a card moved by one and renamed by another is moved and renamed, in either order', () => {
  const content = boardWith('A');
  const board = readBoard(content);
  const move = moveCard(board, 'A', 'done', last, random);
  const rename = renameCard('A', 'Renamed');
  for (const patches of [
    [move, rename],
    [rename, move],
  ]) {
    assert.deepEqual(titles(readBoard(commitAll(content, patches)), 'done'), ['Renamed']);
  }
});

test('board: of two concurrent moves of one card the later stands, column and place together', () => {
  const content = boardWith('A', 'B');
  const board = readBoard(content);
  const moves = [
    moveCard(board, 'A', 'done', last, random),
    moveCard(board, 'A', 'todo', { before: 'B' }, random),
  ];
  const after = readBoard(commitAll(content, moves));
  assert.deepEqual(titles(after, 'todo'), ['A', 'B']);
  assert.deepEqual(titles(after, 'done'), []);
});

test('board: a card deleted by one stays deleted whatever another does to it', () => {
  const content = boardWith('A');
  const board = readBoard(content);
  const others = [renameCard('A', 'Renamed'), moveCard(board, 'A', 'done', last, random)];
  for (const other of others) {
    for (const patches of [
      [removeCard('A'), other],
      [other, removeCard('A')],
    ]) {
      assert.equal(findCard(readBoard(commitAll(content, patches)), 'A'), undefined);
    }
  }
});

test('board: a card moved into a column that is deleted meanwhile stands in the first column', () => {
  const content = boardWith('A');
  const board = readBoard(content);
  const done = board.columns.find(({ id }) => id === 'done');
  assert.ok(done);
  const after = readBoard(
    commitAll(content, [removeColumn(done), moveCard(board, 'A', 'done', last, random)]),
  );
  assert.deepEqual(titles(after, 'todo'), ['A']);
});

test('board: renaming one of the first three columns and moving it keeps both', () => {
  const board = readBoard({});
  const doing = board.columns[1];
  assert.ok(doing);
  const content = commitAll({}, [renameColumn(doing, 'Now')]);
  const moved = readBoard(commitAll(content, [moveColumn(readBoard(content), 'doing', 1, random)]));
  assert.deepEqual(
    moved.columns.map(({ title }) => title),
    ['To do', 'Done', 'Now'],
  );
});

test('board: content of any shape is read without failing, and what is not a card is none', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (value, other) => {
      const content = { 'card:x': value, 'column:y': other, title: value, 'card:': other } as {
        [key: string]: Json;
      };
      const board = readBoard(content);
      assert.ok(board.columns.length >= 3);
      readBoard(value as Json);
    }),
    { numRuns: RUNS },
  );
});

test('board: every edit that the page can make on a board applies to it', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(6), fc.nat(20), fc.nat(20)), { maxLength: 40 }), (actions) => {
      let content: Json = {};
      actions.forEach(([kind, a, b], index) => {
        const board = readBoard(content);
        const column = board.columns[a % Math.max(1, board.columns.length)];
        const cards = board.columns.flatMap(({ cards: inColumn }) => inColumn);
        const card = cards[b % Math.max(1, cards.length)];
        let patch: JsonStep[] = [];
        if (kind === 0 && column)
          patch = addCard(board, `c${index}`, column.id, `Card ${index}`, last, random);
        else if (kind === 1 && column && card)
          patch = moveCard(board, card.id, column.id, { before: column.cards[0]?.id }, random);
        else if (kind === 2 && card) patch = renameCard(card.id, `New ${index}`);
        else if (kind === 3 && card) patch = removeCard(card.id);
        else if (kind === 4) patch = addColumn(board, `k${index}`, `Column ${index}`, random);
        else if (kind === 5 && column) patch = moveColumn(board, column.id, b % 2 === 0 ? 1 : -1, random);
        else if (kind === 6 && column && board.columns.length > 2) patch = removeColumn(column);
        if (patch.length > 0) content = commitAll(content, [patch]);
      });
    }),
    { numRuns: RUNS },
  );
});
