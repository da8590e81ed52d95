// A peer that the test controls: it keeps the messages that it was sent, and sends the messages of the test.
import type { ControlMessage } from '../../cluster/news/control-messages.ts';
import type { Peer, PeerStream } from '../../cluster/peer/network.ts';

export const STREAM: PeerStream = {
  isOpen: true,
  post: () => undefined,
  onBatch: () => undefined,
  onClose: () => undefined,
  close: () => undefined,
};

export class FakePeer implements Peer {
  readonly node: string;
  readonly run: string;
  readonly bufferedBytes = 0;
  readonly sent: unknown[] = [];
  isUp = true;
  /** Brings a message from this peer. */
  tell: (message: ControlMessage) => void = () => undefined;

  constructor(node = 'b') {
    this.node = node;
    this.run = `run-${node}`;
  }

  send(message: unknown): void {
    this.sent.push(message);
  }

  onControl(listener: (message: unknown) => void): void {
    this.tell = listener;
  }

  openStream(): PeerStream {
    return STREAM;
  }

  onStream(): void {}

  onHeartbeat(): void {}

  onPulse(): void {}

  onDown(): void {}

  close(): void {
    this.isUp = false;
  }
}
