// One Peer over its two wires: it multiplexes streams and control messages, sends heartbeats, and watches for
// silence and for a peer that reads too slowly. It never dials, and a connection that is down never comes up
// again: `down` is the only move.
import { pack, unpack } from 'msgpackr';
import type { Timers } from '../../actors/clock.ts';
import { BATCH, CLOSE_STREAM, CONTROL, GOODBYE, HEARTBEAT, NO_PAYLOAD, OPEN_STREAM } from './frames.ts';
import type { Heartbeat, Peer, PeerEnd, PeerLimits, PeerStream, StreamTarget } from './network.ts';
import { MultiplexedStream, type StreamCarrier } from './stream.ts';
import type { Frame, WirePair } from './wire.ts';

export interface ConnectionOptions {
  readonly pair: WirePair;
  /** The dialler gives streams even numbers, the other end odd numbers. */
  readonly dialled: boolean;
  readonly clock: Timers;
  readonly limits: PeerLimits;
  /** Called once, after the listeners of the streams and of the peer. */
  readonly onDown: (peer: PeerConnection, reason: PeerEnd, detail: string) => void;
}

/** Bytes of heartbeats that may wait for a stopped peer. Further heartbeats are left out. */
const MAX_HEARTBEAT_BACKLOG_BYTES = 4096;
const LAST_STREAM = 0xffff_ffff - 2;

export class PeerConnection implements Peer, StreamCarrier {
  readonly node: string;
  readonly run: string;
  readonly #options: ConnectionOptions;
  readonly #streams = new Map<number, MultiplexedStream>();
  #nextStream: number;
  #lastOpenedThere = -1;
  #up = true;
  /** The other end has ended its heartbeats on purpose. The link still carries the rest, and the goodbye. */
  #leaving = false;
  #counter = 0;
  #lastHeard: number;
  #cancelBeat: (() => void) | undefined;
  #controlListener: ((message: unknown) => void) | undefined;
  #streamListener: ((stream: PeerStream, target: StreamTarget) => void) | undefined;
  #heartbeatListener: ((heartbeat: Heartbeat) => void) | undefined;
  #pulseListener: (() => void) | undefined;
  #downListener: ((reason: PeerEnd) => void) | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.node = options.pair.remote.node;
    this.run = options.pair.remote.run;
    this.#nextStream = options.dialled ? 0 : 1;
    this.#lastHeard = options.clock.now();
  }

  get isUp(): boolean {
    return this.#up;
  }

  get bufferedBytes(): number {
    return this.#options.pair.link.bufferedBytes;
  }

  /** Begins to read frames. The listeners are attached before this call. */
  start(): void {
    if (!this.#up) return;
    const { link, heartbeat } = this.#options.pair;
    const end = (reason: 'lost' | 'violation', detail: string): void => this.#down(reason, detail);
    this.#beat(this.#options.clock.now());
    link.start({ frame: (frame) => this.#linkFrame(frame), end });
    heartbeat.start({
      frame: (frame) => this.#heartbeatFrame(frame),
      end: (reason, detail) => {
        if (!this.#leaving) end(reason, detail);
      },
    });
  }

  send(control: unknown): void {
    if (this.#up) this.#write(CONTROL, 0, new Uint8Array(pack(control)));
  }

  onControl(listener: (message: unknown) => void): void {
    this.#controlListener = listener;
  }

  openStream(target: StreamTarget): PeerStream {
    const id = this.#nextStream;
    const stream = new MultiplexedStream(id, this);
    if (!this.#up || this.#openWithParityOf(id) >= this.#options.limits.maxStreams || id > LAST_STREAM) {
      stream.ended();
      return stream;
    }
    this.#nextStream += 2;
    this.#streams.set(id, stream);
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setBigUint64(0, BigInt(target.session));
    this.#write(OPEN_STREAM, id, payload);
    return stream;
  }

  onStream(listener: (stream: PeerStream, target: StreamTarget) => void): void {
    this.#streamListener = listener;
  }

  onHeartbeat(listener: (heartbeat: Heartbeat) => void): void {
    this.#heartbeatListener = listener;
  }

  onPulse(listener: () => void): void {
    this.#pulseListener = listener;
  }

  onDown(listener: (reason: PeerEnd) => void): void {
    this.#downListener = listener;
  }

  close(): void {
    this.end('closed-here');
  }

  /** Ends the connection from this end, for a reason of this node. */
  end(reason: 'closed-here' | 'superseded'): void {
    if (!this.#up) return;
    // A goodbye goes over both wires: neither waits for the other, and the wire that ends first must not look
    // lost.
    this.#options.pair.link.send(GOODBYE, 0, NO_PAYLOAD);
    this.#options.pair.heartbeat.send(GOODBYE, 0, NO_PAYLOAD);
    this.#down(reason, '');
  }

  /**
   * Reports a pulse of this run. A pulse does not keep this connection: it may still be given up for silence.
   */
  pulse(): void {
    if (this.#up) this.#pulseListener?.();
  }

  /** Called by the streams. */
  post(id: number, batch: Uint8Array<ArrayBuffer>): void {
    this.#write(BATCH, id, batch);
  }

  /** Called by the streams. A stream number is not used again, so late frames of the stream are dropped. */
  closed(id: number): void {
    this.#streams.delete(id);
    this.#write(CLOSE_STREAM, id, NO_PAYLOAD);
  }

  #write(type: number, stream: number, payload: Uint8Array<ArrayBuffer>): void {
    if (!this.#up) return;
    const { link } = this.#options.pair;
    const { maxFrameBytes, maxBufferedBytes } = this.#options.limits;
    if (payload.length > maxFrameBytes) {
      this.#down('oversize', `${payload.length} bytes`);
      return;
    }
    link.send(type, stream, payload);
    if (link.bufferedBytes > maxBufferedBytes) this.#down('slow', `${link.bufferedBytes} bytes wait`);
  }

  #linkFrame(frame: Frame): void {
    switch (frame.type) {
      case BATCH:
        this.#streams.get(frame.stream)?.arrived(frame.payload);
        return;
      case CONTROL:
        this.#controlFrame(frame.payload);
        return;
      case OPEN_STREAM:
        this.#streamOpened(frame);
        return;
      case CLOSE_STREAM: {
        const stream = this.#streams.get(frame.stream);
        this.#streams.delete(frame.stream);
        stream?.ended();
        return;
      }
      case GOODBYE:
        this.#down('closed-there', '');
        return;
      default:
        this.#down('violation', `frame of type ${frame.type}`);
    }
  }

  #controlFrame(payload: Uint8Array): void {
    let message: unknown;
    try {
      message = unpack(payload);
    } catch {
      this.#down('violation', 'a control message is not MessagePack');
      return;
    }
    this.#controlListener?.(message);
  }

  #streamOpened({ stream: id, payload }: Frame): void {
    const session = payload.length === 8 ? Number(new DataView(payload.buffer).getBigUint64(0)) : Number.NaN;
    const ours = id % 2 === this.#nextStream % 2;
    const many = this.#openWithParityOf(id) >= this.#options.limits.maxStreams;
    if (ours || id <= this.#lastOpenedThere || !Number.isSafeInteger(session) || many) {
      this.#down('violation', many ? 'too many streams' : 'stream opened wrongly');
      return;
    }
    this.#lastOpenedThere = id;
    const stream = new MultiplexedStream(id, this);
    this.#streams.set(id, stream);
    if (this.#streamListener === undefined) stream.close();
    else this.#streamListener(stream, { session });
  }

  #openWithParityOf(id: number): number {
    let open = 0;
    for (const other of this.#streams.keys()) if (other % 2 === id % 2) open++;
    return open;
  }

  #heartbeatFrame({ type, payload }: Frame): void {
    if (type === GOODBYE) {
      this.#leaving = true;
      return;
    }
    if (type !== HEARTBEAT || payload.length !== 8) {
      this.#down('violation', 'heartbeat');
      return;
    }
    const view = new DataView(payload.buffer);
    const at = this.#options.clock.now();
    this.#lastHeard = at;
    this.#heartbeatListener?.({ counter: view.getUint32(0), lateMs: view.getFloat32(4), at });
  }

  #beat(due: number): void {
    const { clock, limits, pair } = this.#options;
    const now = clock.now();
    const lateMs = Math.max(0, now - due);
    // A process that did not run could not hear the peer either.
    this.#lastHeard = Math.min(now, this.#lastHeard + lateMs);
    if (now - this.#lastHeard > limits.silenceMs) {
      this.#down('silent', '');
      return;
    }
    if (pair.heartbeat.bufferedBytes < MAX_HEARTBEAT_BACKLOG_BYTES) {
      const payload = new Uint8Array(8);
      const view = new DataView(payload.buffer);
      view.setUint32(0, ++this.#counter);
      view.setFloat32(4, lateMs);
      pair.heartbeat.send(HEARTBEAT, 0, payload);
    }
    const next = now + limits.heartbeatMs;
    this.#cancelBeat = clock.after(limits.heartbeatMs, () => this.#beat(next));
  }

  #down(reason: PeerEnd, detail: string): void {
    if (!this.#up) return;
    this.#up = false;
    this.#cancelBeat?.();
    const { link, heartbeat } = this.#options.pair;
    for (const wire of [link, heartbeat])
      if (reason === 'closed-here' || reason === 'superseded') wire.finish();
      else wire.destroy();
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.ended();
    this.#downListener?.(reason);
    this.#options.onDown(this, reason, detail);
  }
}
