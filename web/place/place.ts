// The place of the page: the address names one document, and the document's name selects the view. Pure;
// main.ts reads and writes the address bar.
import { parseDocumentName } from '../../protocol/names.ts';

export type View = 'text' | 'board';

/** One place for a group of people: a text and the board that belongs to it. */
export interface Place {
  /** `org/doc` of the text. */
  readonly text: string;
  /** `org/doc` of the board. */
  readonly board: string;
  readonly view: View;
}

/**
 * A document whose name has this ending is a board; without the ending the name is that of the text beside
 * it.
 */
const BOARD_ENDING = '.board';
const NEW_DOCUMENT_ORG = 'demo';

/** The address that begins a new document; the address without a document leads to the shared one. */
export const NEW_DOCUMENT = '/?new';

/**
 * The place of an address that names no document. It is the same for everyone, so that two windows meet
 * there.
 */
export const SHARED_PLACE: Place = { text: 'demo/welcome', board: 'demo/welcome.board', view: 'text' };

/**
 * The place that `?doc=org/name` (or `#org/name`) names. Undefined: the address names none. `new`: the
 * address asks for a new place. `bad`: the name is not a document's name.
 */
export function placeOf(search: string, hash: string): Place | 'new' | 'bad' | undefined {
  const parameters = new URLSearchParams(search);
  const name = parameters.get('doc') ?? decodeHash(hash);
  if (name === null || name === '') return parameters.has('new') ? 'new' : undefined;
  const view: View = name.endsWith(BOARD_ENDING) ? 'board' : 'text';
  const text = view === 'board' ? name.slice(0, -BOARD_ENDING.length) : name;
  const place = { text, board: text + BOARD_ENDING, view };
  const valid = parseDocumentName(place.text) !== undefined && parseDocumentName(place.board) !== undefined;
  return valid ? place : 'bad';
}

export const documentOf = (place: Place): string => place[place.view];

/** The address of a place, relative to the site. */
export const addressOf = (place: Place): string => addressOfDocument(documentOf(place));

/** The address of a document, `org/doc`, whose name selects the view. */
export const addressOfDocument = (name: string): string => `/?doc=${name}`;

/** A new place: a readable name with 20 random bits at its end. */
export function newPlace(random: (below: number) => number): Place {
  const pick = (words: readonly string[]): string => words[random(words.length)] ?? '';
  const tail = Array.from({ length: 4 }, () => TAIL[random(TAIL.length)]).join('');
  const text = `${NEW_DOCUMENT_ORG}/${pick(MOODS)}-${pick(ANIMALS)}-${tail}`;
  return { text, board: text + BOARD_ENDING, view: 'text' };
}

/** A name for a person who has not given one. */
export function newPersonName(random: (below: number) => number): string {
  const pick = (words: readonly string[]): string => {
    const word = words[random(words.length)] ?? '';
    return word.charAt(0).toUpperCase() + word.slice(1);
  };
  return `${pick(MOODS)} ${pick(ANIMALS)}`;
}

function decodeHash(hash: string): string | null {
  try {
    return decodeURIComponent(hash.replace(/^#/, ''));
  } catch {
    return hash; // A document's name has no percent sign, so the raw name is shown as a bad one.
  }
}

const TAIL = '23456789abcdefghjkmnpqrstuvwxyz';
const MOODS = (
  'able amber bold brave bright brisk calm candid cheery civil clever cosy crisp curious dapper daring eager ' +
  'early easy fair fleet fond frank free gentle glad golden grand happy hardy honest humble jolly keen kind ' +
  'lively lucid lucky merry mild neat nimble noble patient plucky polite proud quick quiet rapid ready robust ' +
  'serene sharp silver sincere smart snug steady sturdy sunny swift tidy trusty vivid warm wise witty'
).split(' ');
const ANIMALS = (
  'badger beaver bison bobcat brant condor coyote crane curlew dingo dolphin dunlin eagle egret falcon ferret ' +
  'finch fox gannet gecko gibbon grebe hare heron hoopoe ibex ibis impala jackdaw jay kestrel kite lapwing lark ' +
  'lemur linnet lynx magpie marmot marten martin merlin mole moose narwhal newt ocelot oriole osprey otter owl ' +
  'panda petrel pigeon pika plover puffin puma quail rabbit raven robin seal shrike stoat stork swallow swan ' +
  'swift tern thrush toucan turtle vole walrus weasel wigeon wombat wren'
).split(' ');
