// Opens, and questions about the access to a document, whose role a service decides. Until it has answered, the open and everything that the client sends about this
// document is held, in its order; other documents of the socket go on. For users whose token decides, nothing is held and
// nothing is asked.
import { CLOSE_CODES } from '../../../protocol/errors.ts';
import type { Limits } from '../../../protocol/limits.ts';
import type { DecidedRole, RoleAnswer, User } from '../../identity/user.ts';
import type { ClientConnection, HeldFrames } from '../client-connection.ts';
import { echo, type Replies } from '../replies.ts';

type Message = Record<string, unknown>;

export interface RoleQuestionsParts {
  readonly limits: Limits;
  readonly replies: Replies;
  /** Goes on with the request. Without a role the document is answered like a missing one. */
  readonly decided: (connection: ClientConnection, doc: string, message: Message, role: DecidedRole) => void;
  /** Handles a frame that was held. */
  readonly receive: (connection: ClientConnection, frame: Uint8Array, isText: boolean) => void;
}

/** Documents of one socket whose roles are being asked for. */
export interface AskedDocuments {
  readonly held: Map<string, HeldFrames['frames'][number][]>;
  bytes: number;
}

/** Frames that are held of one socket, as a multiple of `limits.frameBytes`. Past it the socket is closed. */
const HELD_FRAMES = 2;
const UNDECIDED = 'your role in this document cannot be decided at the moment';

export class RoleQuestions {
  readonly #parts: RoleQuestionsParts;

  constructor(parts: RoleQuestionsParts) {
    this.#parts = parts;
  }

  /** Takes a request that is valid but for its role. */
  ask(
    connection: ClientConnection,
    doc: string,
    message: Message,
    user: User,
    answer: Promise<RoleAnswer>,
  ): void {
    connection.asked ??= { held: new Map(), bytes: 0 };
    connection.asked.held.set(doc, []);
    this.#wait(connection, doc, message, user, answer);
  }

  /** True if the frame is held, because it is about a document whose role is being asked for. */
  holds(connection: ClientConnection, { doc }: Message, frame: Uint8Array, isText: boolean): boolean {
    const { asked } = connection;
    const frames = typeof doc === 'string' ? asked?.held.get(doc) : undefined;
    if (asked === undefined || frames === undefined) return false;
    asked.bytes += frame.length;
    // It is counted when it is handled.
    connection.messages--;
    if (asked.bytes > HELD_FRAMES * this.#parts.limits.frameBytes)
      connection.close(CLOSE_CODES.overloaded, 'too much was sent before the document was open');
    // The memory of the frame may be used again.
    else frames.push({ frame: Uint8Array.from(frame), isText });
    return true;
  }

  #wait(
    connection: ClientConnection,
    doc: string,
    message: Message,
    user: User,
    answer: Promise<RoleAnswer>,
  ): void {
    void answer.then((found) => {
      const now = connection.user;
      if (connection.closed || now === undefined) return;
      if (now === user) {
        this.#answered(connection, doc, message, found);
        return;
      }
      // The user has shown a new token meanwhile.
      const role = now.roleIn(doc);
      if (role instanceof Promise) this.#wait(connection, doc, message, now, role);
      else this.#answered(connection, doc, message, { role, until: Number.POSITIVE_INFINITY });
    });
  }

  #answered(connection: ClientConnection, doc: string, message: Message, answer: RoleAnswer): void {
    const { replies, decided, receive } = this.#parts;
    const { asked } = connection;
    const frames = asked?.held.get(doc) ?? [];
    asked?.held.delete(doc);
    if (asked?.held.size === 0) connection.asked = undefined;
    else if (asked !== undefined) for (const { frame } of frames) asked.bytes -= frame.length;
    if (connection.hasEnded) replies.ended(connection, echo(message));
    else if (answer === 'unavailable') replies.later(connection, answer, UNDECIDED, echo(message));
    else decided(connection, doc, message, answer);
    for (const { frame, isText } of frames) receive(connection, frame, isText);
  }
}
