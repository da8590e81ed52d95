// The addresses that a client may connect to, and the order of its attempts: the given addresses of the
// application, and the announced addresses of other nodes (`welcome.nodes`). Owns no socket and no timer.
//
// Attempts go round by round. In a round each address comes once: the given ones in random order, and between
// them the announced ones in random order. So clients that lost one node together spread over the others, and
// an announced address that cannot be reached never keeps a client from a given one.

/** Addresses of other nodes that are remembered. */
const MOST_TOLD = 64;
const SOCKET_PATH = '/v1/socket';

export type AcceptNodes = boolean | ((url: string) => boolean);

export class Addresses {
  readonly #given: readonly string[];
  readonly #accept: AcceptNodes;
  readonly #random: () => number;
  #told: readonly string[] = [];
  #round: string[] = [];
  #current: string;

  /** @param random in [0, 1) */
  constructor(given: readonly string[], accept: AcceptNodes, random: () => number) {
    this.#given = given;
    this.#accept = accept;
    this.#random = random;
    this.#round = this.#shuffled(given);
    this.#current = this.#round.shift() ?? '';
  }

  /** The address of the next attempt, or of the latest one. */
  get current(): string {
    return this.#current;
  }

  /** Notes that a server has welcomed the client: the next loss begins a new round. */
  arrived(): void {
    this.#round = [];
  }

  /**
   * Moves on after a failure at the current address.
   * @param leaving whether its node announced that it leaves: then it comes last in a round
   */
  next(leaving: boolean): void {
    if (this.#round.length === 0) this.#round = this.#newRound(leaving);
    this.#current = this.#round.shift() ?? this.#current;
  }

  /** Takes the `nodes` of a `welcome`, base URLs of other nodes. Each list replaces the one before. */
  learn(nodes: unknown): void {
    if (this.#accept === false || !Array.isArray(nodes)) return;
    const urls = nodes.slice(0, MOST_TOLD).flatMap((node: unknown) => this.#socketUrl(node));
    this.#told = [...new Set(urls)].filter((url) => !this.#given.includes(url));
  }

  #newRound(leaving: boolean): string[] {
    const last = this.#current;
    const given = this.#shuffled(this.#given.filter((url) => url !== last));
    const told = this.#shuffled(this.#told.filter((url) => url !== last));
    const isGiven = this.#given.includes(last);
    if (isGiven && !leaving) given.push(last);
    const round: string[] = [];
    for (let i = 0; i < Math.max(given.length, told.length); i++) {
      for (const url of [given[i], told[i]]) if (url !== undefined) round.push(url);
    }
    if (leaving || !isGiven) round.push(last);
    return round;
  }

  /**
   * The socket's URL at a node. Empty if the node's URL is no WebSocket URL, not accepted, or less safe than
   * the given ones.
   */
  #socketUrl(node: unknown): string[] {
    if (typeof node !== 'string' || !URL.canParse(node)) return [];
    const { protocol, host, pathname } = new URL(node);
    const safe = protocol === 'wss:' || (protocol === 'ws:' && this.#given.some((url) => /^ws:/i.test(url)));
    if (!safe) return [];
    const url = `${protocol}//${host}${pathname.replace(/\/+$/, '')}${SOCKET_PATH}`;
    return typeof this.#accept !== 'function' || this.#accept(url) ? [url] : [];
  }

  #shuffled(urls: readonly string[]): string[] {
    const left = [...urls];
    const shuffled: string[] = [];
    while (left.length > 0) shuffled.push(...left.splice(Math.floor(this.#random() * left.length), 1));
    return shuffled;
  }
}
