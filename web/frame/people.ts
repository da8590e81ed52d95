// This window's person and the other people: names, colours, and the presence data that carries them. Data of
// others is never trusted to have a shape. Stores only a name and a colour.
import type { Json } from '../../protocol/messages.ts';
import { firstCharacters } from '../graphemes.ts';
import { newPersonName } from '../place/place.ts';

export interface Person {
  readonly name: string;
  /** `#rrggbb`; white text on it is readable. */
  readonly colour: string;
}

/** The person at this window, as the views need it. */
export interface Me {
  readonly client: string;
  readonly person: Person;
  /** When this window was opened, in milliseconds since 1970. Only compared with others'. */
  readonly joined: number;
}

/** Presence data of this page: the person, and on a board the card that the person is at. */
export interface PresenceData extends Person {
  readonly card: string | undefined;
  readonly joined: number;
}

export const COLOURS: readonly { readonly name: string; readonly hex: string }[] = [
  { name: 'Vermilion', hex: '#c2410c' },
  { name: 'Crimson', hex: '#be123c' },
  { name: 'Orchid', hex: '#a21caf' },
  { name: 'Violet', hex: '#6d28d9' },
  { name: 'Cobalt', hex: '#1d4ed8' },
  { name: 'Lagoon', hex: '#0369a1' },
  { name: 'Pine', hex: '#0f766e' },
  { name: 'Moss', hex: '#3f7d20' },
  { name: 'Ochre', hex: '#96650b' },
  { name: 'Slate', hex: '#475569' },
];

export const NAME_LENGTH = 40;
const STORED = 'troupe.person';

/** This browser's person: the last chosen one, or a fresh one, which is stored. */
export function loadPerson(storage: Storage | undefined): Person {
  const stored = parseStored(storage?.getItem(STORED) ?? null);
  if (stored !== undefined) return stored;
  const person = {
    name: newPersonName(randomBelow),
    colour: COLOURS[randomBelow(COLOURS.length)]?.hex ?? '#475569',
  };
  savePerson(storage, person);
  return person;
}

export function savePerson(storage: Storage | undefined, person: Person): void {
  try {
    storage?.setItem(STORED, JSON.stringify(person));
  } catch {
    // With a full or forbidden storage only the next visit begins with a fresh name.
  }
}

/** Presence data as another client sent it; the client id replaces a missing or malformed name. */
export function readPresence(client: string, data: Json): PresenceData {
  const fields = typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {};
  const { name, color, card, joined } = fields;
  return {
    name: cleanName(typeof name === 'string' ? name : '') || `Guest ${client.slice(0, 4)}`,
    colour: isColour(color) ? color.toLowerCase() : colourFor(client),
    card: typeof card === 'string' ? card : undefined,
    joined: typeof joined === 'number' ? joined : Number.POSITIVE_INFINITY,
  };
}

export function writePresence({ person, joined }: Me, card?: string): { [key: string]: Json } {
  return { name: person.name, color: person.colour, joined, ...(card === undefined ? {} : { card }) };
}

/**
 * Everyone in a document by client id, this window included, each in a colour that no other has for as long
 * as there are enough. If two people chose one colour, the window that was opened later gets another, so that
 * all windows agree on the colours.
 */
export function everyone(me: Me, states: ReadonlyMap<string, Json>): Map<string, PresenceData> {
  const people = [...states].map(([client, data]) => [client, readPresence(client, data)] as const);
  people.push([me.client, { ...me.person, card: undefined, joined: me.joined }]);
  people.sort(([a, one], [b, other]) => {
    if (one.joined !== other.joined) return one.joined < other.joined ? -1 : 1;
    return a < b ? -1 : 1;
  });
  const taken = new Set<string>();
  const result = new Map<string, PresenceData>();
  for (const [client, person] of people) {
    const colour = freeColour(person.colour, taken);
    taken.add(colour);
    result.set(client, { ...person, colour });
  }
  return result;
}

function freeColour(wanted: string, taken: ReadonlySet<string>): string {
  const first = COLOURS.findIndex(({ hex }) => hex === wanted);
  for (let step = 0; step < COLOURS.length; step += 1) {
    // Steps of three, since neighbours in the list look alike; three and ten have no common divisor.
    const colour = COLOURS[(Math.max(0, first) + step * 3) % COLOURS.length]?.hex;
    if (colour !== undefined && !taken.has(colour)) return colour;
  }
  return wanted;
}

/** A name without line breaks or control characters, of bounded length; no emoji is cut in two. */
export function cleanName(name: string): string {
  const clean = name.replace(/[\p{Cc}\s\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim();
  return firstCharacters(clean, NAME_LENGTH);
}

/** One or two letters for an avatar. */
export function initials(name: string): string {
  const words = name.split(' ').filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters.map((word) => firstCharacters(word ?? '?', 1).toUpperCase()).join('');
}

/** An integer from 0 to below `limit`. */
export function randomBelow(limit: number): number {
  const [value = 0] = crypto.getRandomValues(new Uint32Array(1));
  return Math.floor((value / 2 ** 32) * limit);
}

function isColour(value: unknown): value is string {
  return typeof value === 'string' && COLOURS.some(({ hex }) => hex === value.toLowerCase());
}

function colourFor(client: string): string {
  let sum = 0;
  for (const unit of client) sum = (sum * 31 + (unit.codePointAt(0) ?? 0)) % 65_521;
  return COLOURS[sum % COLOURS.length]?.hex ?? '#475569';
}

function parseStored(stored: string | null): Person | undefined {
  if (stored === null) return undefined;
  try {
    const value: unknown = JSON.parse(stored);
    if (typeof value !== 'object' || value === null || !('name' in value) || !('colour' in value))
      return undefined;
    const name = cleanName(typeof value.name === 'string' ? value.name : '');
    return name !== '' && isColour(value.colour) ? { name, colour: value.colour } : undefined;
  } catch {
    return undefined; // The key holds data of another program: begin afresh.
  }
}
