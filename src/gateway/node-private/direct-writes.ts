// Writes frames to a socket's handle, as its stream would in the end, if nothing waits before them. For a
// write that the kernel takes at once, the stream makes a request, two closures and a callback of the next
// tick, which costs most of the user time of a delivery. A frame that the kernel does not take whole waits in
// the handle, where it is not counted: at most one a socket, of MAX_BYTES at most. Until it has gone, all
// other frames go to the stream, which counts and bounds them.
//
// The class relies on internals of Node, a socket's handle and its write request, which are the same from
// Node 20 to 26. If they are not found, or if Node is set to end at the use of deprecated features, as its
// bindings are, all frames go to the stream.
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** Larger frames go to the stream, which counts them. */
export const MAX_BYTES = 65_536;

/** A socket with the internals of Node. */
interface OpenSocket extends Duplex {
  /** Null once it is closed. */
  readonly _handle: Handle | null;
}

interface Handle {
  /**
   * Returns 0, or an error number below 0. The request is used only if the kernel does not take all bytes at
   * once.
   */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

interface WriteRequest {
  /** Keeps the bytes alive. */
  buffer?: Uint8Array;
  /** Called once, also if the handle is closed before. The status is 0, or an error number below 0. */
  oncomplete?: (status: number) => void;
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: ArrayLike<number>;
  /**
   * Index into the state. A value other than 0 there means that the kernel did not take all of the last
   * write.
   */
  readonly kLastWriteWasAsync: number;
}

export class DirectWrites {
  readonly #binding: StreamBinding;
  /** For the next write. A write that waits keeps it, and the next write gets a new one. */
  #request: WriteRequest;
  /** Streams with a frame that waits in the handle. */
  readonly #waiting = new Set<Duplex>();

  /** Undefined if this Node does not offer the internals. */
  static create(): DirectWrites | undefined {
    const binding = streamBinding();
    return binding && new DirectWrites(binding);
  }

  private constructor(binding: StreamBinding) {
    this.#binding = binding;
    this.#request = new binding.WriteWrap();
  }

  /** True if this stream can be written to directly. */
  takes(stream: Duplex): boolean {
    const { _handle: handle } = stream as Partial<OpenSocket>;
    const isPlain = stream instanceof Socket && !(stream instanceof TLSSocket);
    return isPlain && typeof handle?.writeBuffer === 'function';
  }

  /**
   * False if nothing was written and the stream has to write the frame. The frame must not change afterwards.
   */
  write(stream: Duplex, frame: Uint8Array): boolean {
    const handle = (stream as OpenSocket)._handle;
    if (handle === null || frame.length > MAX_BYTES || stream.writableLength > 0) return false;
    if (this.#waiting.size > 0 && this.#waiting.has(stream)) return false;
    // After an error the stream tries to write too, and ends with the error.
    if (handle.writeBuffer(this.#request, frame) !== 0) return false;
    const { streamBaseState, kLastWriteWasAsync } = this.#binding;
    if (streamBaseState[kLastWriteWasAsync] !== 0) this.#wait(stream, frame);
    return true;
  }

  #wait(stream: Duplex, frame: Uint8Array): void {
    const request = this.#request;
    // Node aborts if a request that waits is used for another write.
    this.#request = new this.#binding.WriteWrap();
    this.#waiting.add(stream);
    request.buffer = frame;
    request.oncomplete = (status) => {
      this.#waiting.delete(stream);
      if (status !== 0) stream.destroy();
    };
  }
}

function streamBinding(): StreamBinding | undefined {
  const { binding, throwDeprecation } = process as { binding?: (name: string) => unknown } & NodeJS.Process;
  if (throwDeprecation) return undefined;
  try {
    const found = binding?.('stream_wrap') as Partial<StreamBinding> | undefined;
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = found ?? {};
    if (typeof WriteWrap !== 'function' || typeof kLastWriteWasAsync !== 'number') return undefined;
    return streamBaseState === undefined ? undefined : { WriteWrap, streamBaseState, kLastWriteWasAsync };
  } catch {
    // The permission model forbids the binding.
    return undefined;
  }
}
