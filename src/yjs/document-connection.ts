// One document of a socket that carries several. For the gateway it is a client's connection of its own, with its own user;
// it writes to the socket that it shares with the others. It leaves to the connection of that socket: closing it, pausing it,
// and the bytes of patches that are under way.
import { CLOSE_CODES } from '../../protocol/errors.ts';
import { ClientConnection } from '../gateway/client-connection.ts';

export class DocumentConnection extends ClientConnection {
  readonly #socket: ClientConnection;
  readonly #onWrite: () => void;

  /** `onWrite` is called before each write. */
  constructor(socket: ClientConnection, onWrite: () => void) {
    super(...socket.another());
    this.#socket = socket;
    this.#onWrite = onWrite;
    this.bearer = socket.bearer;
    this.cookie = socket.cookie;
  }

  override write(frame: Uint8Array): void {
    if (this.#socket.closed) return;
    this.#onWrite();
    super.write(frame);
  }

  override writeLarge(parts: readonly Uint8Array[], bytes: number): void {
    if (this.#socket.closed) return;
    this.#onWrite();
    super.writeLarge(parts, bytes);
  }

  override countUnanswered(bytes: number): void {
    this.unansweredBytes += bytes;
    this.#socket.countUnanswered(bytes);
  }

  override pause(): void {
    this.#socket.pause();
  }

  override resume(now: number): void {
    this.#socket.resume(Math.max(now, this.#socket.heard));
  }

  /**
   * Closes the socket with all its documents, and its client comes back with them. Some providers never come back after
   * 4401, which is the code of a token that has ended; after 1012 all come back, with a new token if they have one.
   */
  override close(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#socket.close(code === CLOSE_CODES.unauthenticated ? CLOSE_CODES.draining : code, reason);
  }
}
