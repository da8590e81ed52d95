// Parses JSON text without a fault of V8 (nodejs/node#63785; Node 24 and 26, and browsers). V8's JSON.parse can take an
// object key that is written with an escape, such as a newline, for the key `\`, if it has met that key before. Keys with
// escapes are rare. This file puts placeholders in their places, parses the text, and gives the members their names
// afterwards. All other texts go to JSON.parse as they are.

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
/** A character for private use. A placeholder begins with more of them in a row than the text has anywhere. */
const MARK = '\ue000';

/** Returns what the text holds. Throws SyntaxError if the text is not JSON, as JSON.parse does. */
export function parseJson(text: string): unknown {
  if (!text.includes('\\')) return JSON.parse(text);
  const keys = escapedKeys(text);
  return keys.length === 0 ? JSON.parse(text) : parseWithPlaceholders(text, keys);
}

/** The positions of one key with an escape, its quotes included. */
type Place = readonly [start: number, end: number];

/** O(text). The result means nothing if the text is not JSON; parsing that text fails in any case. */
function escapedKeys(text: string): readonly Place[] {
  const keys: Place[] = [];
  for (let at = text.indexOf('\\'); at >= 0; ) {
    const end = endOfString(text, at);
    let next = end;
    while (isSpace(text.charCodeAt(next))) next++;
    if (text.charCodeAt(next) === COLON) keys.push([text.lastIndexOf('"', at), end]);
    at = text.indexOf('\\', end);
  }
  return keys;
}

/** Returns the position behind the quote that ends a string. `at` is the position of an escape in it. */
function endOfString(text: string, at: number): number {
  for (let end = at; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === QUOTE) return end + 1;
    if (code === BACKSLASH) end++;
  }
  return text.length;
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;

function parseWithPlaceholders(text: string, keys: readonly Place[]): unknown {
  let mark = MARK;
  while (text.includes(mark)) mark += MARK;
  const names = new Map<string, string>();
  const parts: string[] = [];
  let from = 0;
  for (const [start, end] of keys) {
    const name: unknown = JSON.parse(text.slice(start, end));
    if (typeof name !== 'string') throw new SyntaxError('a key that is no string');
    const placeholder = `${mark}${names.size}`;
    names.set(placeholder, name);
    parts.push(text.slice(from, start), `"${placeholder}"`);
    from = end;
  }
  parts.push(text.slice(from));
  return renamed(JSON.parse(parts.join('')), mark, names);
}

function renamed(value: unknown, mark: string, names: ReadonlyMap<string, string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) value[at] = renamed(item, mark, names);
    return value;
  }
  const out = {};
  for (const [key, member] of Object.entries(value))
    Object.defineProperty(out, (key.startsWith(mark) && names.get(key)) || key, {
      value: renamed(member, mark, names),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  return out;
}
