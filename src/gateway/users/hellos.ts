// Takes `hello`, finds out the user of a socket, and ends a socket whose token has ended or was revoked, and was not
// renewed in time. It does not decide what a user may do: rights.ts does.
//
// The socket of a login goes on when the login has been refreshed meanwhile. It is closed at once when the login has ended,
// because no other token is awaited.
//
// A token is checked beside the event loop. Meanwhile the socket is not read, and the frames that had been read already
// are held, so that messages are handled in their order. Each renewal counts as an open for the rate of the client.
import type { Clock } from '../../../actors/clock.ts';
import { CLOSE_CODES } from '../../../protocol/errors.ts';
import type { Limits } from '../../../protocol/limits.ts';
import { isClientId } from '../../../protocol/names.ts';
import { type Identity, isUser, type Unidentified } from '../../identity/identity.ts';
import type { RightsChange } from '../../identity/store.ts';
import type { User } from '../../identity/user.ts';
import { endsUser, REVOKED } from '../../identity/users.ts';
import type { ClientConnection } from '../client-connection.ts';
import type { SharedQuotas } from '../quotas/shared-quotas.ts';
import { echo, idOf, type Replies } from '../replies.ts';
import { takeOpen } from '../sockets/rates.ts';
import type { Rights } from './rights.ts';

export interface HellosOptions {
  readonly node: string;
  /** Base URLs of the other nodes, for clients. Undefined if clients are told none. */
  readonly nodes?: () => readonly string[] | undefined;
  readonly limits: Limits;
  readonly identity: Identity;
  /** The quotas of users. Undefined if nothing is limited. */
  readonly users?: SharedQuotas;
  /** How long a socket whose token has ended waits for a new one, ms. */
  readonly graceMs: number;
  /** Makes an id for a client that leaves its id to the server. */
  readonly newClientId: () => string;
  /** ms that never go back. Their zero has no meaning. */
  readonly now: () => number;
  /** ms since 1970. */
  readonly time: () => number;
}

export interface HellosParts {
  readonly after: Clock['after'];
  readonly replies: Replies;
  readonly rights: Rights;
  /** Handles a frame that was held. */
  readonly receive: (connection: ClientConnection, frame: Uint8Array, isText: boolean) => void;
}

type Message = Record<string, unknown>;

/** The longest time that setTimeout takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const LOGGED_OUT = 'the session has ended: log in again';
/** Frames that are held of one socket, as a multiple of `limits.frameBytes`. Past it the socket is closed. */
const HELD_FRAMES = 2;

export class Hellos {
  readonly #options: HellosOptions;
  readonly #parts: HellosParts;
  /** Sockets whose user is known. */
  readonly #connections = new Set<ClientConnection>();

  constructor(options: HellosOptions, parts: HellosParts) {
    this.#options = options;
    this.#parts = parts;
  }

  take(connection: ClientConnection, message: Message): void {
    const client = this.#clientOf(connection, message);
    if (client === undefined) return;
    const { replies } = this.#parts;
    const token = tokenOf(connection, message);
    const { user } = connection;
    if (user !== undefined) {
      if (token === undefined && user.login === undefined) {
        if (connection.hasEnded) replies.ended(connection, idOf(message));
        else this.#welcome(connection, message, client);
        return;
      }
      const wait = takeOpen(connection, this.#options.limits, this.#options.now());
      if (wait > 0) {
        replies.error(connection, 'rate-limited', 'too many hellos', {
          ...idOf(message),
          retryAfterMs: wait,
        });
        return;
      }
    }
    const { identity } = this.#options;
    const found =
      user !== undefined && token === undefined
        ? identity.renew(user)
        : identity.identify(token, connection.cookie);
    if (!(found instanceof Promise)) {
      this.#identified(connection, message, client, found);
      return;
    }
    connection.held = { frames: [], bytes: 0 };
    connection.pause();
    void found.then((user) => {
      const frames = connection.held?.frames ?? [];
      connection.held = undefined;
      // A socket that is being closed has to be read too, up to the close of the other side.
      connection.resume(this.#options.now());
      if (connection.closed) return;
      this.#identified(connection, message, client, user);
      for (const { frame, isText } of frames) this.#parts.receive(connection, frame, isText);
    });
  }

  /** True if the frame is held, because a token of its socket is being checked. */
  holds(connection: ClientConnection, frame: Uint8Array, isText: boolean): boolean {
    const { held } = connection;
    if (held === undefined) return false;
    held.bytes += frame.length;
    // The memory of the frame may be used again.
    if (held.bytes <= HELD_FRAMES * this.#options.limits.frameBytes)
      held.frames.push({ frame: Uint8Array.from(frame), isText });
    else connection.close(CLOSE_CODES.overloaded, 'too much was sent before the welcome');
    return true;
  }

  /** The socket is closed. */
  disconnected(connection: ClientConnection): void {
    if (this.#connections.delete(connection) && connection.quota !== undefined)
      this.#options.users?.release(connection.user?.sub ?? '');
    connection.cancelEnd?.();
    connection.cancelEnd = undefined;
    connection.held = undefined;
  }

  rightsChanged(change: RightsChange): void {
    for (const connection of this.#connections) {
      const { user, hasEnded, closed } = connection;
      if (user === undefined || closed || !endsUser(change, user)) continue;
      if (change.kind === 'login') {
        this.#parts.replies.ended(connection, {}, LOGGED_OUT);
        connection.close(CLOSE_CODES.unauthenticated, 'the session has ended');
      } else if (!hasEnded) this.#end(connection, REVOKED);
    }
  }

  /** The client id of the hello. Undefined if it is refused; it has then been answered. */
  #clientOf(connection: ClientConnection, message: Message): string | undefined {
    const { replies } = this.#parts;
    const client = hasNoId(message) ? (connection.client ?? this.#options.newClientId()) : message.client;
    if (!isClientId(client))
      replies.error(connection, 'bad-message', 'client: 8 to 64 of A-Z a-z 0-9 _ -', echo(message));
    else if (connection.client !== undefined && connection.client !== client)
      replies.error(connection, 'bad-message', 'a socket keeps its client id', echo(message));
    else return client;
    if (connection.client === undefined) connection.close(CLOSE_CODES.badMessage, 'no valid client id');
    return undefined;
  }

  #identified(
    connection: ClientConnection,
    message: Message,
    client: string,
    found: User | Unidentified,
  ): void {
    const { replies, rights } = this.#parts;
    const before = connection.user;
    if (!isUser(found)) {
      replies.later(connection, found.code, found.message, {
        ...idOf(message),
        retryAfterMs: found.retryAfterMs,
      });
      if (before !== undefined) return;
      const code = found.code === 'unavailable' ? CLOSE_CODES.overloaded : CLOSE_CODES.unauthenticated;
      connection.turnAway(found.code, code, found.message);
      return;
    }
    if (before !== undefined && before.sub !== found.sub) {
      replies.error(connection, 'forbidden', 'a socket keeps its user', idOf(message));
      return;
    }
    if (before === undefined) {
      const quota = this.#options.users?.hold(found.sub);
      if (quota === 'full') {
        replies.later(connection, 'rate-limited', 'this user has too many sockets', idOf(message));
        connection.turnAway('rate-limited', CLOSE_CODES.rateLimited, 'too many sockets of this user');
        return;
      }
      connection.quota = quota;
    }
    connection.client = client;
    connection.hasOwnId ||= !hasNoId(message);
    connection.user = found;
    connection.bearer = undefined;
    connection.cookie = undefined;
    this.#connections.add(connection);
    connection.hasEnded = false;
    this.#welcome(connection, message, client);
    this.#watch(connection, found);
    if (before !== undefined && before !== found) rights.changed(connection);
  }

  #welcome(connection: ClientConnection, message: Message, client: string): void {
    const { node, limits, time } = this.#options;
    const nodes = this.#options.nodes?.();
    const expiresAt = connection.user?.expiresAt ?? Number.POSITIVE_INFINITY;
    const now = time();
    connection.send({
      type: 'welcome',
      ...idOf(message),
      client,
      node,
      time: now,
      limits,
      ...(nodes === undefined ? {} : { nodes }),
      ...(expiresAt === Number.POSITIVE_INFINITY ? {} : { expiresInMs: Math.max(0, expiresAt - now) }),
    });
  }

  /** Waits for the end of the user's token. */
  #watch(connection: ClientConnection, user: User): void {
    connection.cancelEnd?.();
    connection.cancelEnd = undefined;
    if (user.expiresAt === Number.POSITIVE_INFINITY || connection.closed) return;
    const { after } = this.#parts;
    const leftMs = user.expiresAt - this.#options.time();
    if (leftMs > 0) {
      const run = (): void => this.#watch(connection, user);
      connection.cancelEnd = after(Math.min(leftMs, LONGEST_TIMER_MS), run);
      return;
    }
    if (user.login === undefined) this.#end(connection);
    else void this.#renew(connection, user);
  }

  /** The login of the user may have been refreshed. */
  async #renew(connection: ClientConnection, user: User): Promise<void> {
    const found = await this.#options.identity.renew(user);
    // A hello may have come meanwhile.
    if (connection.closed || connection.user !== user || connection.hasEnded) return;
    if (!isUser(found) || found.expiresAt <= user.expiresAt) {
      this.#end(connection);
      return;
    }
    connection.user = found;
    this.#watch(connection, found);
  }

  #end(connection: ClientConnection, message?: string): void {
    connection.cancelEnd?.();
    connection.hasEnded = true;
    this.#parts.replies.ended(connection, {}, message);
    connection.cancelEnd = this.#parts.after(this.#options.graceMs, () =>
      connection.close(CLOSE_CODES.unauthenticated, 'the token has ended'),
    );
  }
}

/** A client that only looks may leave its id to the server. A number counts as no id: there are observers that number themselves. */
const hasNoId = ({ client }: Message): boolean =>
  client === undefined || client === null || typeof client === 'number';

/** A value of another type is no token that could be right. */
function tokenOf(connection: ClientConnection, { token }: Message): string | undefined {
  if (token === undefined || token === null) return connection.bearer;
  return typeof token === 'string' ? token : '';
}
