// Frames written to a socket's handle as its stream would in the end, where nothing waits before them. What the stream
// does around a write that the kernel takes at once (a request, two closures and a callback of the next tick) is two thirds
// of the user time of a delivery (measured). A frame that the kernel does not take whole waits in the handle, where nobody
// counts it: one a socket, of MAX_BYTES at most. Until it has gone all others go to the stream, which counts and bounds them.
//
// It stands on what is Node's own, a socket's handle and its write request, the same from Node 20 to 26. Where they are not
// found, or Node is to end at the use of anything deprecated, as its bindings are, everything is left to the stream.
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** Larger frames are the stream's, and counted. */
export const MAX_BYTES = 65_536;

/** A socket as Node has it inside. */
interface OpenSocket extends Duplex {
  /** Null once it is closed. */
  readonly _handle: Handle | null;
}

interface Handle {
  /** 0, or an error number below 0. The request is used only where the kernel does not take all at once. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

interface WriteRequest {
  /** Keeps the bytes alive. */
  buffer?: Uint8Array;
  /** Called once, also when the handle is closed before; 0, or an error number below 0. */
  oncomplete?: (status: number) => void;
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: ArrayLike<number>;
  /** Where in the state it stands; not 0 there: the kernel did not take all of the last write. */
  readonly kLastWriteWasAsync: number;
}

export class DirectWrites {
  private readonly binding: StreamBinding;
  /** For the next write; used up by one that waits. */
  private request: WriteRequest;
  /** Those with a frame that waits in the handle. */
  private readonly waiting = new Set<Duplex>();

  /** undefined: this Node does not give away what it takes. */
  static create(): DirectWrites | undefined {
    const binding = streamBinding();
    return binding && new DirectWrites(binding);
  }

  private constructor(binding: StreamBinding) {
    this.binding = binding;
    this.request = new binding.WriteWrap();
  }

  /** Whether it may write to this stream. */
  takes(stream: Duplex): boolean {
    const { _handle: handle } = stream as Partial<OpenSocket>;
    const isPlain = stream instanceof Socket && !(stream instanceof TLSSocket);
    return isPlain && typeof handle?.writeBuffer === 'function';
  }

  /** False: nothing has been written, the stream is to have it. The frame must not change afterwards. */
  write(stream: Duplex, frame: Uint8Array): boolean {
    const handle = (stream as OpenSocket)._handle;
    if (handle === null || frame.length > MAX_BYTES || stream.writableLength > 0) return false;
    if (this.waiting.size > 0 && this.waiting.has(stream)) return false;
    // After an error the stream tries it too, and ends as it should.
    if (handle.writeBuffer(this.request, frame) !== 0) return false;
    const { streamBaseState, kLastWriteWasAsync } = this.binding;
    if (streamBaseState[kLastWriteWasAsync] !== 0) this.wait(stream, frame);
    return true;
  }

  private wait(stream: Duplex, frame: Uint8Array): void {
    const { request } = this;
    // Node ends at once where a request that waits is given to another write.
    this.request = new this.binding.WriteWrap();
    this.waiting.add(stream);
    request.buffer = frame;
    request.oncomplete = (status) => {
      this.waiting.delete(stream);
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
    // The permission model does not let anybody at it.
    return undefined;
  }
}
