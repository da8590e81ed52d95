// docs/protocol.md against the code: the same errors, close codes, limits and defaults; ids that are unique;
// and no test that cites a rule which does not exist.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configFrom } from '../../config/load.ts';
import {
  CLOSE_CODES,
  CLOSE_WITHOUT_RETRY,
  ERROR_CODES,
  FINAL_SUBMIT_CODES,
  OPEN_SUBMIT_CODES,
} from '../../protocol/errors.ts';
import { STATUS } from '../../src/http/api/refusals.ts';
import { below, FOLDERS, root } from './sources.ts';

const text = readFileSync(join(root, 'docs/protocol.md'), 'utf8');
const RULE =
  /\b(?:NAME|VALUE|SOCK|HELLO|AUTH|LOGIN|REVOKE|PING|DRAIN|OPEN|CLOSE|ROLE|SUBMIT|DUR|ORDER|ONCE|ORIGIN|PRES|READY|HTTP|EVENT|DOC|METRIC|HIST|MEET|RT|JSON|YJS|YWS|HOC|AWARE|ERR|LIMIT)-\d+\b/g;

/** The rows of the table whose first head is `firstHead`, each as its cells. */
function table(firstHead: string): string[][] {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => line.startsWith(`| ${firstHead} |`));
  assert.ok(at >= 0, `no table begins with ${firstHead}`);
  const rows: string[][] = [];
  for (const line of lines.slice(at + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}

function rule(id: string): string {
  const found = new RegExp(`- \\*\\*${id}\\*\\* ([\\s\\S]*?)(?=\\n- \\*\\*|\\n\\n)`).exec(text)?.[1];
  assert.ok(found !== undefined, `${id} is not there`);
  return found;
}

const quoted = (sentence: string) => [...sentence.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');

test('ERR-2 lists the codes of protocol/errors.ts, and whether they are retryable', () => {
  const listed = table('code').map(([code, retryable]) => [code?.replaceAll('`', ''), retryable === 'yes']);
  assert.deepEqual(Object.fromEntries(listed), ERROR_CODES);
  assert.equal(listed.length, Object.keys(ERROR_CODES).length);
});

test('ERR-7 lists the status of every code as the API has it', () => {
  const listed = [...rule('ERR-7').matchAll(/(\d{3}) ([^·.]+)/g)].flatMap(([, status, codes = '']) =>
    quoted(codes).map((code) => [code, Number(status)]),
  );
  assert.deepEqual(Object.fromEntries(listed), STATUS);
});

test('docs/errors.md lists every code with its status, and whether the request may come again', () => {
  const rows = [
    ...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(
      /^\| `([\w-]+)` \| (\d+) \| (yes|no) \|/gm,
    ),
  ];
  const listed = rows.map(([, code, status, again]) => [code, [Number(status), again === 'yes']]);
  const wanted = Object.entries(ERROR_CODES).map(([code, retryable]) => [
    code,
    [STATUS[code as keyof typeof ERROR_CODES], retryable],
  ]);
  assert.deepEqual(Object.fromEntries(listed), Object.fromEntries(wanted));
});

test('ERR-3 lists the close codes of protocol/errors.ts, and which end it', () => {
  const rows = table('close');
  assert.deepEqual(rows.map(([code]) => Number(code)).sort(), Object.values(CLOSE_CODES).sort());
  for (const [code, , again] of rows) {
    assert.equal(again?.startsWith('yes'), !CLOSE_WITHOUT_RETRY.has(Number(code)), code);
  }
});

test('SUBMIT-9 and SUBMIT-10 list the final and the open codes of a submit', () => {
  const codes = (id: string) => quoted(rule(id)).filter((word) => word in ERROR_CODES);
  assert.deepEqual(new Set(codes('SUBMIT-9')), new Set(FINAL_SUBMIT_CODES));
  assert.deepEqual(new Set(codes('SUBMIT-10')), new Set(OPEN_SUBMIT_CODES));
});

test('LIMIT-1 lists every limit, and the worked session has the defaults', () => {
  const { limits } = configFrom();
  const listed = table('limit').flatMap(([names]) => quoted(names ?? ''));
  assert.deepEqual(listed.sort(), Object.keys(limits).sort());
  const welcome = /^< (\{"type":"welcome".*"limits":\{"frame.*\})$/m.exec(text)?.[1];
  assert.deepEqual(JSON.parse(welcome ?? '{}').limits, limits);
});

test('every frame of the worked session is JSON', () => {
  const frames = [...text.matchAll(/^[<>] (\{.*\})$/gm)].map((match) => match[1] ?? '');
  assert.ok(frames.length > 10);
  for (const frame of frames)
    assert.equal(typeof JSON.parse(frame.replace('{…}', '{}')).type, 'string', frame);
});

test('every rule has one place, and its number follows the one before', () => {
  const ids = [...text.matchAll(/^- \*\*([A-Z]+-\d+)\*\*/gm)].map((match) => match[1] ?? '');
  assert.ok(ids.length > 80);
  assert.equal(new Set(ids).size, ids.length);
  const last = new Map<string, number>();
  for (const id of ids) {
    const [family = '', number = ''] = id.split('-');
    assert.equal(Number(number), (last.get(family) ?? 0) + 1, id);
    last.set(family, Number(number));
  }
});

test('a test that cites a rule cites one that exists', () => {
  const known = new Set([...text.matchAll(/^- \*\*([A-Z]+-\d+)\*\*/gm)].map((match) => match[1]));
  const wrong: string[] = [];
  for (const name of [...FOLDERS, 'docs'].flatMap((folder) => filesBelow(folder))) {
    for (const [id] of readFileSync(join(root, name), 'utf8').matchAll(RULE)) {
      if (!known.has(id)) wrong.push(`${name}: ${id}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every rule that is served is cited by a test of what it says', () => {
  const titles = filesBelow('test')
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith(join('test', 'repo')))
    .map((name) => readFileSync(join(root, name), 'utf8'))
    .join('\n');
  const cited = new Set([...titles.matchAll(RULE)].map(([id]) => id));
  const rules = [...text.matchAll(/^- \*\*([A-Z]+-\d+)\*\*/gm)].map((match) => match[1] ?? '');
  assert.ok(rules.length > 100);
  assert.deepEqual(
    rules.filter((id) => !cited.has(id)),
    [],
  );
});

const filesBelow = (folder: string): string[] => below(folder, /\.(ts|md|py)$/);
