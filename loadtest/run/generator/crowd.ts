// Which virtual client has which document, which part it plays, and which process it lives in. Pure, and
// determined by the scenario and its seed.
import { type Random, seededRandom } from '../../clients/random-edits.ts';
import type { Scenario } from '../../scenarios/scenario.ts';

export interface Member {
  /** The order of arrival: a member is connected while its rank is below the connected share of all. */
  readonly rank: number;
  readonly document: number;
  readonly edits: boolean;
  readonly encoding: 'json' | 'msgpack';
  readonly seed: number;
}

export const KINDS = ['rich-text', 'json', 'yjs'] as const;

export function kindOf({ documents }: Scenario, document: number): (typeof KINDS)[number] {
  const kinds = documents.kinds.length === 0 ? KINDS : documents.kinds;
  return kinds[document % kinds.length] ?? 'json';
}

/** `shuffled`: clients of any document arrive next. `by-document`: all of one, then all of another. */
export type Arrival = 'shuffled' | 'by-document';

/** The members of each process. Those of a small document share a process; large documents are split. */
export function crowdOf(scenario: Scenario, processes: number, arrival: Arrival = 'shuffled'): Member[][] {
  const { clients, documents } = scenario;
  const random = seededRandom(scenario.seed);
  const total = clients.editors + clients.readers;
  const places = [
    ...spread(clients.editors, documents.count, clients.skew).map((document) => ({ document, edits: true })),
    ...spread(clients.readers, documents.count, clients.skew).map((document) => ({ document, edits: false })),
  ];
  const shuffle = shuffled(total, random);
  const ranks = arrival === 'shuffled' ? shuffle : ranksByDocument(places, documents.count, random);
  const byDocument = new Map<number, Member[]>();
  for (const [index, { document, edits }] of places.entries()) {
    const other = index % 2 === 0 ? 'json' : 'msgpack';
    const encoding = clients.encoding === 'both' ? other : clients.encoding;
    const seed = Math.floor(random() * 2 ** 31);
    const member = { rank: ranks[index] ?? index, document, edits, encoding, seed };
    byDocument.set(document, [...(byDocument.get(document) ?? []), member]);
  }
  const lists: Member[][] = Array.from({ length: processes }, () => []);
  const least = () => lists.reduce((best, list) => (list.length < best.length ? list : best));
  const largest = Math.ceil(total / processes);
  for (const members of [...byDocument.values()].sort((left, right) => right.length - left.length)) {
    if (members.length <= largest) least().push(...members);
    else for (const [index, member] of members.entries()) lists[index % processes]?.push(member);
  }
  return lists;
}

/**
 * Documents that are checked, evenly chosen among those that have an editor. Others follow only if these are too few:
 * nothing happens in them.
 */
export function checkedDocuments(scenario: Scenario, crowd: readonly (readonly Member[])[]): number[] {
  const members = crowd.flat();
  const sorted = (some: readonly Member[]) =>
    [...new Set(some.map(({ document }) => document))].sort((left, right) => left - right);
  const edited = sorted(members.filter(({ edits }) => edits));
  const isEdited = new Set(edited);
  const others = sorted(members.filter(({ document }) => !isEdited.has(document)));
  const { checked } = scenario.documents;
  return [...evenly(edited, checked), ...evenly(others, checked - edited.length)].sort(
    (left, right) => left - right,
  );
}

function evenly(all: readonly number[], most: number): number[] {
  const many = Math.max(0, Math.min(most, all.length));
  return Array.from({ length: many }, (_, index) => all[Math.floor((index * all.length) / many)] ?? 0);
}

/** The document of each of `clients` clients; largest remainders keep the shares exact. */
function spread(clients: number, documents: number, skew: number): number[] {
  const weights = Array.from({ length: documents }, (_, index) => 1 / (index + 1) ** skew);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const shares = weights.map((weight) => (clients * weight) / sum);
  const counts = shares.map(Math.floor);
  const left = clients - counts.reduce((total, many) => total + many, 0);
  const byRemainder = shares
    .map((share, index) => ({ index, rest: share - Math.floor(share) }))
    .sort((one, other) => other.rest - one.rest || one.index - other.index);
  for (const { index } of byRemainder.slice(0, left)) counts[index] = (counts[index] ?? 0) + 1;
  return counts.flatMap((many, document) => new Array<number>(many).fill(document));
}

/** Documents in any order, so that large and small ones come by turns. */
function ranksByDocument(places: readonly { document: number }[], count: number, random: Random): number[] {
  const order = shuffled(count, random);
  const sorted = places
    .map(({ document }, index) => ({ index, at: order[document] ?? 0 }))
    .sort((left, right) => left.at - right.at);
  const ranks = new Array<number>(places.length).fill(0);
  for (const [rank, { index }] of sorted.entries()) ranks[index] = rank;
  return ranks;
}

function shuffled(length: number, random: Random): number[] {
  const order = Array.from({ length }, (_, index) => index);
  for (let place = length - 1; place > 0; place--) {
    const other = Math.floor(random() * (place + 1));
    const moved = order[place] ?? 0;
    order[place] = order[other] ?? 0;
    order[other] = moved;
  }
  return order;
}
