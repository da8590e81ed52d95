// The beginning of a text by characters as people count them, so that no emoji is cut, and no letter is cut
// from its accent. Pure.

/** Code units that a character may have on average; most have one, a family emoji has eleven. */
const UNITS_EACH = 8;
/** Code units that a single character may have beyond that. */
const LONGEST = 64;

/** Half of a surrogate pair, as a text box with `maxlength` leaves it. */
const HALF = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** At most `most` characters of a text, and no more code units than a bound derived from it. */
export function firstCharacters(text: string, most: number): string {
  const bound = most * UNITS_EACH + LONGEST;
  let kept = '';
  let count = 0;
  // A character that ends past the bound is left out, so the cut one at the end of the slice is too.
  for (const character of charactersOf(text.slice(0, bound + 1).replace(HALF, ''))) {
    if (count === most || kept.length + character.length > bound) break;
    kept += character;
    count += 1;
  }
  return kept;
}

/** The characters of a text; code points if the browser has no segmenter. */
function charactersOf(text: string): Iterable<string> {
  if (!('Segmenter' in Intl)) return text;
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}
