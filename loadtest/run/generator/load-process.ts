// One process of the load: its share of the virtual clients, their figures second by second, and the check of
// their records at the end. The parent sends an order, then `begin`, faults, and `end`.
import { setTimeout as waitFor } from 'node:timers/promises';
import type { DocumentLog } from '../../checker/checker.ts';
import { checkWithHttp } from '../../checker/http-check.ts';
import { readLogs } from '../../checker/log.ts';
import { BareClient } from '../../clients/bare-client.ts';
import { seededRandom } from '../../clients/random-edits.ts';
import { Figures, type ProcessSecond } from '../figures.ts';
import { localAddress } from '../servers/open-files.ts';
import { clock } from './clock.ts';
import { Course } from './course.ts';
import { kindOf, type Member } from './crowd.ts';
import { HttpReads } from './http-reads.ts';
import { HttpWrites, type WrittenDocument } from './http-writes.ts';
import { DueTimes, LoadClient } from './load-client.ts';
import { loadEdits } from './load-edits.ts';
import type { CheckReport, LoadAnswer, LoadCommand, LoadOrder, OpenReport } from './load-messages.ts';
import { readStrokes, type Stroke, typingOf } from './typing.ts';

const CONNECTING = 50;
const ARRIVALS_MS = 50;
/** Most clients that arrive or leave at once where a number of clients is ordered: a thousand a second. */
const MOST_AT_ONCE = 50;
const TOLD = 50;
/** Most documents that one process writes over HTTP. */
const MOST_WRITTEN = 100;
/** Above this size only one client of a document keeps a replica, and commits are not computed again. */
const LARGE_BYTES = 256 * 1024;

class LoadProcess {
  readonly #order: LoadOrder;
  readonly #course: Course;
  readonly #figures = new Figures();
  readonly #clients: LoadClient[] = [];
  /** The clients in the order of their arrival, and how many of them are called up. */
  readonly #byRank: readonly { readonly rank: number; readonly index: number }[];
  #called = 0;
  /** Ordered clients of all processes; undefined: the course decides. */
  #ordered: number | undefined;
  #receivedBytes = 0;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #checked: ReadonlySet<number>;
  readonly #reads: HttpReads;
  readonly #writes: HttpWrites;
  #second = 0;
  #isResting = false;
  #isEnding = false;

  constructor(order: LoadOrder, strokes: readonly Stroke[] | undefined) {
    this.#order = order;
    this.#course = new Course(order.scenario.stages);
    this.#checked = new Set(order.checked);
    const due = new DueTimes();
    const withReplica = new Set<number>();
    for (const [index, member] of order.members.entries()) {
      const hasReplica =
        this.#checked.has(member.document) && (!this.#isLarge || !withReplica.has(member.document));
      if (hasReplica) withReplica.add(member.document);
      this.#clients.push(this.#clientOf(index, member, { hasReplica, due, strokes }));
    }
    const { urls, token, docs, index, processes, scenario } = order;
    const { http } = scenario;
    const shared = { urls, token, http, index, processes, figures: this.#figures };
    this.#reads = new HttpReads({ ...shared, docs });
    this.#writes = new HttpWrites({ ...shared, docs: this.#writtenDocuments() });
    this.#ordered = order.ordered;
    this.#byRank = order.members
      .map(({ rank }, index) => ({ rank, index }))
      .sort((left, right) => left.rank - right.rank);
  }

  /** Connects the clients that are there at the beginning, or those that it has reached when the load ends. */
  async open(): Promise<OpenReport> {
    await this.#writes.createDocuments();
    const before = process.memoryUsage.rss();
    const early = this.#byRank.slice(0, this.#wantedAt(0)).map(({ index }) => this.#clients[index]);
    let clients = 0;
    while (clients < early.length && !this.#isEnding) {
      const next = early.slice(clients, clients + CONNECTING);
      try {
        await Promise.all(next.map((client) => client?.arriveEarly()));
      } catch (error) {
        // The end stops clients that are on their way.
        if (this.#isEnding) break;
        throw error;
      }
      clients += next.length;
      this.#send({ type: 'opening', clients });
    }
    this.#called = clients;
    return { type: 'open', clients, addedBytes: Math.max(0, process.memoryUsage.rss() - before) };
  }

  order(count: number): void {
    this.#ordered = count;
  }

  /** Ends the typing for a while. Resolves when all edits have their answers, or when the typing goes on. */
  async rest(): Promise<void> {
    this.#isResting = true;
    for (const client of this.#clients) client.rest();
    while (this.#isResting && this.#clients.some((client) => client.outstanding > 0)) await waitFor(50);
    this.#send({ type: 'rested' });
  }

  goOn(): void {
    this.#isResting = false;
    for (const client of this.#clients) client.goOn();
  }

  begin(at: number, onFailure: (error: unknown) => void): void {
    const began = performance.now() + (at - clock());
    // Figures of the time before the beginning do not count.
    this.#figures.take(0, this.#state());
    for (const client of this.#clients) client.begin(began);
    for (const requests of [this.#reads, this.#writes])
      setTimeout(() => requests.begin().catch(onFailure), Math.max(0, began - performance.now()));
    this.#timers.push(setInterval(() => this.#callUp(began), ARRIVALS_MS));
    const tick = (): void => {
      this.#send({ type: 'second', ...this.#figures.take(this.#second, this.#state()) });
      this.#second += 1;
      this.#timers[1] = setTimeout(tick, began + (this.#second + 1) * 1000 - performance.now());
    };
    this.#timers[1] = setTimeout(tick, began + 1000 - performance.now());
  }

  drop(share: number): void {
    const connected = this.#clients.filter((client) => client.isConnected);
    for (const client of connected.slice(0, Math.round(connected.length * share))) client.drop();
  }

  /** Ends the load, waits for the answers that are due, and checks. */
  async end(): Promise<CheckReport> {
    this.#isEnding = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const client of this.#clients) client.stop();
    this.#reads.stop();
    const deadline = performance.now() + this.#order.patience.settleMs;
    await this.#writes.stop(deadline);
    while (performance.now() < deadline && this.#clients.some((client) => client.outstanding > 0))
      await waitFor(50);
    for (const client of this.#clients) client.giveUp();
    await this.#settle(deadline);
    this.#send({ type: 'second', ...this.#figures.take(this.#second, this.#state()) });
    const report = await this.#check();
    for (const { client } of this.#clients) client.stop();
    return report;
  }

  get #isLarge(): boolean {
    return this.#order.scenario.documents.initialBytes > LARGE_BYTES;
  }

  #clientOf(
    index: number,
    member: Member,
    shared: { hasReplica: boolean; due: DueTimes; strokes: readonly Stroke[] | undefined },
  ): LoadClient {
    const { urls, token, name, docs, scenario, total } = this.#order;
    const random = seededRandom(member.seed);
    const place = member.rank % urls.length;
    const address = localAddress(urls[place] ?? '', total, this.#order.index);
    const client = new BareClient({
      url: urls[place] ?? '',
      others: [...urls.slice(place + 1), ...urls.slice(0, place)],
      client: `${name}-${index}`,
      encoding: member.encoding,
      random,
      replicas: shared.hasReplica,
      streams: this.#checked.has(member.document),
      ...(address === undefined ? {} : { localAddress: address }),
      ...(token === undefined ? {} : { token }),
    });
    const kind = kindOf(scenario, member.document);
    const editor = member.edits
      ? {
          typing: typingOf(scenario.typing, shared.strokes, random),
          edits: loadEdits(kind, random, {
            initialLength: scenario.documents.initialBytes,
            characters: scenario.typing.characters,
          }),
        }
      : undefined;
    const course = this.#course;
    const figures = this.#figures;
    const doc = docs[member.document] ?? '';
    return new LoadClient({ client, doc, kind, editor, scenario, course, random, figures, due: shared.due });
  }

  /** Documents of this process that are written over HTTP: those that are checked first. */
  #writtenDocuments(): WrittenDocument[] {
    const { docs, scenario, members } = this.#order;
    const here = [...new Set(members.map(({ document }) => document))];
    return [true, false]
      .flatMap((isChecked) => here.filter((document) => this.#checked.has(document) === isChecked))
      .slice(0, MOST_WRITTEN)
      .map((document) => ({
        doc: docs[document] ?? '',
        kind: kindOf(scenario, document),
        isChecked: this.#checked.has(document),
      }));
  }

  /** Clients of this process that are to be connected. */
  #wantedAt(atMs: number): number {
    const most = this.#ordered ?? this.#course.clientsAt(atMs) * this.#order.total;
    let count = this.#called;
    while (count > 0 && (this.#byRank[count - 1]?.rank ?? 0) >= most) count -= 1;
    while (count < this.#byRank.length && (this.#byRank[count]?.rank ?? 0) < most) count += 1;
    return count;
  }

  /** Lets clients arrive and leave as the course says. */
  #callUp(began: number): void {
    const at = performance.now() - began;
    if (at >= this.#course.lastsMs) return;
    const wanted = this.#wantedAt(at);
    const most = this.#ordered === undefined ? Number.POSITIVE_INFINITY : MOST_AT_ONCE;
    for (let moved = 0; this.#called !== wanted && moved < most; moved++) {
      const arrives = this.#called < wanted;
      if (!arrives) this.#called -= 1;
      const client = this.#clients[this.#byRank[this.#called]?.index ?? -1];
      if (arrives) this.#called += 1;
      if (arrives) client?.arrive(performance.now());
      else client?.leave();
    }
  }

  #state(): Pick<ProcessSecond, 'connected' | 'errors' | 'losses'> {
    const errors: Record<string, number> = {};
    const losses: Record<string, number> = {};
    const add = (to: Record<string, number>, name: string, count: number) => {
      to[name] = (to[name] ?? 0) + count;
    };
    for (const requests of [this.#reads, this.#writes]) {
      requests.countDue();
      for (const [reason, count] of requests.errors) add(errors, reason, count);
    }
    let connected = 0;
    let dropped = 0;
    let received = 0;
    for (const { client, rejections, dropped: own, document } of this.#clients) {
      if (document.live) connected += 1;
      dropped += own;
      received += client.receivedBytes;
      for (const [code, count] of client.errors) add(errors, code, count);
      for (const [code, count] of rejections) add(errors, `rejected ${code}`, count);
      for (const [reason, count] of client.losses) add(losses, reason, count);
    }
    this.#figures.counts.bytesReceived += received - this.#receivedBytes;
    this.#receivedBytes = received;
    if (losses[CUT] !== undefined) losses[CUT] = Math.max(0, losses[CUT] - dropped);
    for (const [reason, count] of Object.entries(losses)) if (count === 0) delete losses[reason];
    return { connected, errors, losses };
  }

  /** Waits until each connected client has the newest version that a client of its document has. */
  async #settle(deadline: number): Promise<void> {
    const heads = new Map<string, number>();
    for (const { document } of this.#clients)
      heads.set(document.doc, Math.max(heads.get(document.doc) ?? 0, document.version));
    const isBehind = ({ document }: LoadClient) =>
      document.live && document.version < (heads.get(document.doc) ?? 0);
    while (performance.now() < deadline && this.#clients.some(isBehind)) await waitFor(50);
  }

  async #check(): Promise<CheckReport> {
    const { urls, token, docs, members, patience } = this.#order;
    const here = new Set(members.map(({ document }) => document));
    const records = this.#clients.flatMap(({ client }) => client.recorder.records());
    const replicas = records.filter(({ replica }) => replica !== undefined).length;
    const logs: DocumentLog[] = [];
    const unchecked: string[] = [];
    let isSilent = false;
    for (const document of this.#checked) {
      const doc = docs[document];
      if (doc === undefined || !here.has(document)) continue;
      if (isSilent) {
        unchecked.push(`${doc}: no server answers`);
        continue;
      }
      const options = { url: urls[0] ?? '', others: urls.slice(1), random: Math.random };
      const reading = readLogs({ ...options, ...(token === undefined ? {} : { token }) }, [doc]);
      const timer = new AbortController();
      const silence = waitFor(patience.readMs, undefined, { signal: timer.signal });
      silence.catch(() => undefined);
      try {
        const read = await Promise.race([reading, silence]);
        if (read !== undefined) logs.push(...read);
        else {
          isSilent = true;
          unchecked.push(`${doc}: no answer within ${patience.readMs} ms`);
        }
      } catch (error) {
        unchecked.push(`${doc}: ${error instanceof Error ? error.message : String(error)}`);
      } finally {
        reading.catch(() => undefined);
        timer.abort();
      }
    }
    const read = new Set(logs.map(({ doc }) => doc));
    const written = this.#writes.records();
    // A document that has clients in several processes is written by each of them.
    const violations = checkWithHttp(logs, records, written, { recommit: !this.#isLarge, others: true });
    const ofRead = records.filter(({ doc }) => read.has(doc));
    const edits = [
      ...ofRead.flatMap(({ submits }) => [...submits.values()]),
      ...written.filter(({ doc }) => read.has(doc)).flatMap(({ writes }) => writes),
    ];
    return {
      type: 'report',
      documents: read.size,
      clients: ofRead.length,
      replicas,
      edits: edits.filter(({ fate }) => fate.type === 'ok').length,
      violations: violations.length,
      told: violations
        .slice(0, TOLD)
        .map(({ rule, doc, client, detail }) => `${rule} ${doc} ${client ?? ''}: ${detail.slice(0, 300)}`),
      unchecked: unchecked.slice(0, TOLD),
    };
  }

  #send(answer: LoadAnswer): void {
    process.send?.(answer);
  }
}

async function loadOf(order: LoadOrder): Promise<LoadProcess> {
  const { trace } = order.scenario.typing;
  return new LoadProcess(order, trace === null ? undefined : await readStrokes(trace));
}

/** How a connection ends that is cut without a close frame. */
const CUT = 'closed 1006';

if (process.send !== undefined) {
  // Ctrl-C reaches all processes of the terminal; the parent decides.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  process.on('disconnect', () => process.exit(0));
  let load: Promise<LoadProcess> | undefined;
  const fail = (error: unknown): void => {
    const message = error instanceof Error ? error.message : String(error);
    process.send?.({ type: 'failed', message } satisfies LoadAnswer, () => process.exit(1));
  };
  const take = async (command: LoadCommand): Promise<void> => {
    switch (command.type) {
      case 'order': {
        load = loadOf(command);
        const ordered = await load;
        process.send?.((await ordered.open()) satisfies LoadAnswer);
        return;
      }
      case 'begin':
        (await load)?.begin(command.at, fail);
        return;
      case 'drop':
        (await load)?.drop(command.share);
        return;
      case 'clients':
        (await load)?.order(command.count);
        return;
      case 'rest':
        await (await load)?.rest();
        return;
      case 'go-on':
        (await load)?.goOn();
        return;
      case 'end': {
        const report = await (await load)?.end();
        process.send?.(report, () => process.exit(0));
        return;
      }
    }
  };
  process.on('message', (command: LoadCommand) => {
    take(command).catch(fail);
  });
}
