// Many clients lose their connections at once. They come back with the SDK's backoff (full jitter, doubling up
// to a ceiling), and the nodes serve them as fast as they can. A simulation in steps; pure, and determined by its seed.
import { seededRandom } from '../clients/random-edits.ts';

export interface StampedeOptions {
  readonly clients: number;
  /** Opens a second that all remaining nodes together can serve beside the edits. */
  readonly opensPerSecond: number;
  /** Before this time nobody is served: the other nodes take over first. */
  readonly readyAfterMs: number;
  /** Upper bound of the first wait; it doubles with each failure. */
  readonly backoffMs: number;
  readonly ceilingMs: number;
  /** A client that is not served for so long gives up its attempt, and waits again. */
  readonly timeoutMs: number;
  readonly seed?: number;
}

export interface Stampede {
  /** Times after which these shares of the clients are back, ms; undefined: not within an hour. */
  readonly backMs: Readonly<Record<'half' | 'p95' | 'p99' | 'all', number | undefined>>;
  /** Most clients that wait to be served at once. */
  readonly longestQueue: number;
  readonly attempts: number;
  /** Most attempts that came within one second. */
  readonly mostAttemptsASecond: number;
}

const STEP_MS = 20;
const END_MS = 3_600_000;

export function stampede(options: StampedeOptions): Stampede {
  const { clients, opensPerSecond, readyAfterMs, backoffMs, ceilingMs, timeoutMs, seed = 1 } = options;
  const random = seededRandom(seed);
  /** Clients by the step at which they dial. */
  const due: number[][] = [];
  const failures = new Uint8Array(clients);
  const wait = (client: number, from: number): void => {
    const bound = Math.min(ceilingMs, backoffMs * 2 ** Math.min(failures[client] ?? 0, 16));
    failures[client] = Math.min(255, (failures[client] ?? 0) + 1);
    const step = from + 1 + Math.floor((random() * bound) / STEP_MS);
    const list = due[step];
    if (list === undefined) due[step] = [client];
    else list.push(client);
  };
  for (let client = 0; client < clients; client++) wait(client, -1);

  const back: (number | undefined)[] = [undefined, undefined, undefined, undefined];
  const wanted = [0.5, 0.95, 0.99, 1].map((share) => Math.ceil(share * clients));
  /** Queue of waiting attempts, the longest wait first. Attempts before `first` are served or gone. */
  const queue: { client: number; since: number }[] = [];
  let first = 0;
  let served = 0;
  let credit = 0;
  let attempts = 0;
  let longestQueue = 0;
  let mostAttemptsASecond = 0;
  const lastSecond: number[] = [];
  for (let step = 0; step * STEP_MS < END_MS && served < clients; step++) {
    const now = step * STEP_MS;
    const dialling = due[step] ?? [];
    delete due[step];
    attempts += dialling.length;
    lastSecond.push(dialling.length);
    if (lastSecond.length > 1000 / STEP_MS) lastSecond.shift();
    mostAttemptsASecond = Math.max(
      mostAttemptsASecond,
      lastSecond.reduce((sum, many) => sum + many, 0),
    );
    for (const client of dialling) queue.push({ client, since: now });
    for (let head = queue[first]; head !== undefined && now - head.since >= timeoutMs; head = queue[first]) {
      first += 1;
      wait(head.client, step);
    }
    // Clients of which few are served dial for an hour, so the attempts that have ended leave the memory.
    if (first > queue.length / 2) {
      queue.splice(0, first);
      first = 0;
    }
    longestQueue = Math.max(longestQueue, queue.length - first);
    if (now < readyAfterMs) continue;
    // Unused time is lost: a node cannot serve those who have not come yet.
    credit = Math.min(credit + (opensPerSecond * STEP_MS) / 1000, Math.max(1, queue.length - first));
    while (credit >= 1 && first < queue.length) {
      credit -= 1;
      first += 1;
      served += 1;
    }
    for (const [index, many] of wanted.entries()) if (served >= many) back[index] ??= now + STEP_MS;
  }
  const [half, p95, p99, all] = back;
  return { backMs: { half, p95, p99, all }, longestQueue, attempts, mostAttemptsASecond };
}
