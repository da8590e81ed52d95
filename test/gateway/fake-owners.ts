// A gateway whose owners come and go. The test controls the owners' ends of the links, the router and the
// time. Clients are sessions over a stream that the test can stop reading.
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import {
  OPEN,
  OPENED,
  type OpenRequest,
  SUBMIT,
  type ToGateway,
  type ToOwner,
} from '../../actors/link/link-messages.ts';
import type { OwnerLink } from '../../cluster/shards/owner-link.ts';
import { Router } from '../../cluster/shards/router.ts';
import { type Codec, jsonCodec } from '../../protocol/codec.ts';
import { ClientConnection } from '../../src/gateway/client-connection.ts';
import { Gateway, type GatewayOptions } from '../../src/gateway/gateway.ts';
import { ClientSocket } from '../../src/gateway/sockets/client-socket.ts';
import { NO_LOGIN } from '../../src/identity/identity.ts';

const MiB = 1024 * 1024;
const HISTORY = 'h1';
export const LIMITS = {
  frameBytes: MiB,
  opBytes: MiB,
  receiveBytes: MiB,
  documentBytes: MiB,
  openDocuments: 100,
  opensPerSecond: 100,
  submitsPerSecond: 1000,
  presencesPerSecond: 1000,
  presenceBytes: 4096,
  inflight: 64,
  depth: 100,
  workMs: 50,
  historyMs: 1000,
  historyOps: 1000,
  clientMemoryMs: 1000,
  pingMs: 20_000,
  idleMs: 60_000,
};

export class Owner implements OwnerLink {
  readonly heard: ToOwner[] = [];

  offer(message: ToOwner): boolean {
    this.heard.push(message);
    return true;
  }

  send(message: ToOwner): void {
    this.heard.push(message);
  }

  get opens(): { channelId: number; subscriptionId: number; request: OpenRequest }[] {
    return this.heard.flatMap((m) =>
      m[0] === OPEN ? [{ channelId: m[1], subscriptionId: m[2], request: m[3] }] : [],
    );
  }

  /** The channel of the last open. */
  get channelId(): number {
    const last = this.opens.at(-1);
    assert.ok(last, 'an open');
    return last.channelId;
  }

  get submits(): number[] {
    return this.heard.flatMap((m) => (m[0] === SUBMIT ? [m[3]] : []));
  }
}

export interface Answer {
  type: string;
  code?: string;
  doc?: string;
  seq?: number;
  id?: number;
  retryable?: boolean;
  retryAfterMs?: number;
  [field: string]: unknown;
}

/** Starts the gateway with these options. */
export function startGateway(
  options: Partial<
    Pick<
      GatewayOptions,
      | 'ownerWaitMs'
      | 'snapshotBytes'
      | 'identity'
      | 'graceMs'
      | 'roleGraceMs'
      | 'users'
      | 'organisations'
      | 'limits'
    >
  > = {},
) {
  const router = new Router();
  const time = new Time();
  /** Lines about states that must not occur. */
  const broken: string[] = [];
  /** The connections in the order in which frames were written to them. */
  const writes: ClientConnection[] = [];
  const gateway = new Gateway({
    node: 'test',
    identity: NO_LOGIN,
    graceMs: 0,
    limits: LIMITS,
    router,
    unansweredBytes: MiB,
    now: () => time.now,
    time: () => time.now,
    newClientId: () => 'client-new',
    random: () => 0.5,
    after: time.after,
    log: (_level, message, fields) => void broken.push(`${message} ${JSON.stringify(fields)}`),
    ...options,
  });
  /** A connection over a stream that can stop reading, in a subprotocol or none. */
  const newSession = (codec: Codec | undefined) => {
    const written: Buffer[] = [];
    let reads = true;
    let resume: () => void = () => undefined;
    const stream = new Duplex({
      highWaterMark: 1024,
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        written.push(chunk);
        writes.push(session);
        if (reads) done();
        else resume = done;
      },
    });
    // A server's end, as ws makes it. The types do not declare its options.
    const socket: EndedSocket = Reflect.construct(EndedSocket, [null, undefined, {}]);
    const rates = { opens: 100, submits: 1000, presences: 1000 };
    const session = new ClientConnection(socket, stream, codec, MiB, 0, rates);
    return {
      session,
      written,
      closeCode: (): number | undefined => socket.code,
      isPaused: (): boolean => session.pauses > 0,
      stopReading: (): void => {
        reads = false;
      },
      /** Resolves when everything that waited has been read. */
      readOn: async (): Promise<void> => {
        reads = true;
        const drained = new Promise((resolve) => stream.once('drain', resolve));
        resume();
        await drained;
      },
    };
  };
  const connect = (client: string, token?: string) => {
    const { session, written, closeCode, stopReading, readOn } = newSession(jsonCodec);
    const send = (message: object): void => {
      const text = JSON.stringify(message);
      gateway.receive(session, Buffer.from(text), true);
    };
    send({ type: 'hello', client, ...(token === undefined ? {} : { token }) });
    const text = (): string => Buffer.concat(written).toString('latin1');
    return {
      session,
      send,
      text,
      /** Undefined while the gateway has not closed the socket. */
      closeCode,
      submit: (doc: string, seq: number): void => send({ type: 'submit', doc, seq, base: 0, op: [] }),
      /** The messages of one type that have come. */
      answers: (type: string): Answer[] => framesIn(Buffer.concat(written)).filter((m) => m.type === type),
      /** All messages that have come, in their order. */
      all: (): Answer[] => framesIn(Buffer.concat(written)),
      stopReading,
      readOn,
    };
  };
  /** Gives these shards to this owner, or to none. */
  const place = (shards: readonly number[], owner: Owner | undefined): void => {
    router.setOwner(shards, owner);
    gateway.changed(shards);
  };
  const lose = (shards: readonly number[], owner: Owner): void => {
    router.setOwner(shards, undefined);
    gateway.lost(owner);
  };
  return {
    gateway,
    router,
    connect,
    newSession,
    after: time.after,
    place,
    lose,
    broken,
    writes,
    tick: time.tick,
    timers: () => time.running,
    now: () => time.now,
  };
}

export const opened = (
  at: { channelId: number; subscriptionId: number } | undefined,
  version = 0,
  frames: readonly Uint8Array[] = [],
  lastSeq = 0,
): ToGateway => {
  assert.ok(at, 'an open');
  return [OPENED, at.channelId, at.subscriptionId, frames, version, HISTORY, [], true, lastSeq];
};

/** A socket without a network under it. It keeps the code with which it was closed. */
class EndedSocket extends ClientSocket {
  code: number | undefined;

  override close(code?: number): void {
    this.code ??= code;
  }
}

/** A clock that stands still until the test advances it. */
class Time {
  now = 0;
  readonly #timers = new Set<{ at: number; run: () => void }>();

  readonly after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.now + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get running(): number {
    return this.#timers.size;
  }

  readonly tick = (ms: number): void => {
    const end = this.now + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
      if (next === undefined || next.at > end) break;
      this.#timers.delete(next);
      this.now = next.at;
      next.run();
    }
    this.now = end;
  };
}

/** The JSON messages of a server's frames, without frames that a test made up. */
function framesIn(bytes: Buffer): Answer[] {
  const found: Answer[] = [];
  for (let at = 0; at < bytes.length && bytes[at] === 0x81; ) {
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const head = short === 126 ? 4 : short === 127 ? 10 : 2;
    const length =
      short === 126
        ? bytes.readUInt16BE(at + 2)
        : short === 127
          ? Number(bytes.readBigUInt64BE(at + 2))
          : short;
    found.push(JSON.parse(bytes.toString('utf8', at + head, at + head + length)) as Answer);
    at += head + length;
  }
  return found;
}
