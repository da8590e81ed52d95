// The lengths of the steps of a patch, read from its JSON text without building the steps. For readers that follow
// places through long histories: to parse a patch takes most of their time. Pure.
//
// It reads the form that JSON.stringify writes, with attributes behind the other member. Any other form is left to the
// caller, who parses it.

/** The things that a step can do, each as the first letter of its member's name. All three names have six letters. */
export const RETAIN = 0x72;
export const INSERT = 0x69;
export const DELETE = 0x64;

const [QUOTE, COMMA, COLON, BACKSLASH, SMALL_A, SMALL_U] = [0x22, 0x2c, 0x3a, 0x5c, 0x61, 0x75];
const [ZERO, NINE] = [0x30, 0x39];
const [OPEN_LIST, CLOSE_LIST, OPEN_MAP, CLOSE_MAP] = [0x5b, 0x5d, 0x7b, 0x7d];
/** `{"insert":` */
const BEFORE_VALUE = 10;
/** `,"attributes":` */
const BEFORE_ATTRIBUTES = 14;

/** Writes what each step does and its length into `out`, in turn, and returns how many numbers these are. -1: another form. */
export function readStepLengths(text: Uint8Array, end: number, out: number[]): number {
  if (text[0] !== OPEN_LIST) return -1;
  if (text[1] === CLOSE_LIST) return end === 2 ? 0 : -1;
  let count = 0;
  for (let at = 1; ; at++) {
    const does = text[at + 2];
    if (
      text[at] !== OPEN_MAP ||
      text[at + 1] !== QUOTE ||
      (does !== RETAIN && does !== INSERT && does !== DELETE)
    )
      return -1;
    if (text[at + BEFORE_VALUE - 2] !== QUOTE || text[at + BEFORE_VALUE - 1] !== COLON) return -1;
    at += BEFORE_VALUE;
    let length = 0;
    if (does !== INSERT) {
      const from = at;
      for (let digit = text[at]; digit !== undefined && digit >= ZERO && digit <= NINE; digit = text[++at])
        length = length * 10 + (digit - ZERO);
      if (at === from) return -1;
    } else if (text[at] === QUOTE) {
      at++;
      for (let unit = text[at]; unit !== QUOTE; unit = text[at]) {
        if (unit === undefined || at >= end) return -1;
        // One unit for each character, two for the characters that take four bytes, none for the bytes that follow the first.
        if (unit === BACKSLASH) at += text[at + 1] === SMALL_U ? 6 : 2;
        else at++;
        if (unit < 0x80 || unit >= 0xc0) length += unit >= 0xf0 ? 2 : 1;
      }
      at++;
    } else {
      length = 1;
      at = behindMap(text, at, end);
      if (at < 0) return -1;
    }
    if (text[at] === COMMA) {
      if (text[at + 2] !== SMALL_A || text[at + BEFORE_ATTRIBUTES - 1] !== COLON) return -1;
      at = behindMap(text, at + BEFORE_ATTRIBUTES, end);
      if (at < 0) return -1;
    }
    if (text[at] !== CLOSE_MAP) return -1;
    out[count++] = does;
    out[count++] = length;
    at++;
    if (text[at] === CLOSE_LIST) return at + 1 === end ? count : -1;
    if (text[at] !== COMMA) return -1;
  }
}

/** The place behind the map that begins at `from`. -1: none begins there. */
function behindMap(text: Uint8Array, from: number, end: number): number {
  if (text[from] !== OPEN_MAP) return -1;
  let depth = 0;
  let isText = false;
  for (let at = from; at < end; at++) {
    const byte = text[at];
    if (isText) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) isText = true;
    else if (byte === OPEN_MAP) depth++;
    else if (byte === CLOSE_MAP && --depth === 0) return at + 1;
  }
  return -1;
}
