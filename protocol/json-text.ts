// JSON.parse without the fault of V8 that reads an object key with an escape in it as another key: where the parser knows
// an earlier key, `\`, and the text goes on with the escape of a quote or a newline, it takes that key for the one that it
// knows (nodejs/node#63785: Node 24 and 26, and browsers). Texts with such keys are rare. They are parsed with
// placeholders in the place of the keys, which get their names afterwards.

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
/** A character that no text of ours needs. Placeholders begin with as many as the text has nowhere. */
const MARK = '\ue000';

/** As JSON.parse: throws SyntaxError where the text is no JSON. */
export function parseJson(text: string): unknown {
  if (!text.includes('\\')) return JSON.parse(text);
  const keys = escapedKeys(text);
  return keys.length === 0 ? JSON.parse(text) : parseWithPlaceholders(text, keys);
}

/** Where keys with an escape stand in the text, their quotes included. */
type Place = readonly [start: number, end: number];

/** O(text). In a text that is no JSON it finds something or nothing: parsing it fails all the same. */
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

/** `at`: an escape in a string. Returns the position behind the quote that ends the string. */
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
