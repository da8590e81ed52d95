// Who one is, and who the others are: names, colours, and the presence data that carries them.
// What others send is never trusted to have a shape; what is stored here is a name and a colour only.
import type { Json } from '../protocol/messages.ts';
import { newPersonName } from './place.ts';

export interface Person {
  readonly name: string;
  /** `#rrggbb`; white text on it is readable. */
  readonly colour: string;
}

/** Presence data of this page: the person, and for a board the card in hand. */
export interface PresenceData extends Person {
  readonly card: string | undefined;
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

/** This browser's person: as last chosen, or a fresh one. */
export function loadPerson(storage: Storage | undefined): Person {
  const stored = parseStored(storage?.getItem(STORED) ?? null);
  return (
    stored ?? {
      name: newPersonName(randomBelow),
      colour: COLOURS[randomBelow(COLOURS.length)]?.hex ?? '#475569',
    }
  );
}

export function savePerson(storage: Storage | undefined, person: Person): void {
  try {
    storage?.setItem(STORED, JSON.stringify(person));
  } catch {
    // A full or forbidden storage costs only that the next visit begins with a fresh name.
  }
}

/** Presence data as someone sent it; the client id stands in for what is missing or malformed. */
export function readPresence(client: string, data: Json): PresenceData {
  const fields = typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {};
  const { name, color, card } = fields;
  return {
    name: cleanName(typeof name === 'string' ? name : '') || `Guest ${client.slice(0, 4)}`,
    colour: isColour(color) ? color.toLowerCase() : colourFor(client),
    card: typeof card === 'string' ? card : undefined,
  };
}

export function writePresence(person: Person, card?: string): { [key: string]: Json } {
  return { name: person.name, color: person.colour, ...(card === undefined ? {} : { card }) };
}

/** A name without line breaks or control characters, of bounded length. */
export function cleanName(name: string): string {
  return [...name.replace(/[\p{Cc}\s\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim()]
    .slice(0, NAME_LENGTH)
    .join('');
}

/** One or two letters for an avatar. */
export function initials(name: string): string {
  const words = name.split(' ').filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters.map((word) => [...(word ?? '?')][0]?.toUpperCase() ?? '').join('');
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
    return undefined; // Someone else's data under our key: begin afresh.
  }
}
