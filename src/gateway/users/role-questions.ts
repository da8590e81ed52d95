// Opens, and questions about the access to a document, whose role a service decides. Until it has answered, the open and everything that the client sends about this
// document is held, in its order; other documents of the socket go on. For users whose token decides, nothing is held and
// nothing is asked.
import type { DecidedRole, RoleAnswer, User } from '../../identity/user.ts';
import type { ClientConnection } from '../client-connection.ts';
import { HeldDocuments, handleHeld } from '../held-documents.ts';
import { echo, type Replies } from '../replies.ts';

type Message = Record<string, unknown>;

export interface RoleQuestionsParts {
  readonly replies: Replies;
  /** Goes on with the request. Without a role the document is answered like a missing one. */
  readonly decided: (connection: ClientConnection, doc: string, message: Message, role: DecidedRole) => void;
  /** Handles a frame that was held. */
  readonly handle: (connection: ClientConnection, frame: Uint8Array, isText: boolean) => void;
}

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
    connection.waiting ??= new HeldDocuments();
    connection.waiting.hold(doc);
    this.#wait(connection, doc, message, user, answer);
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
    const { replies, decided, handle } = this.#parts;
    const goOn = (): void => {
      if (connection.hasEnded) replies.ended(connection, echo(message));
      else if (answer === 'unavailable') replies.later(connection, answer, UNDECIDED, echo(message));
      else decided(connection, doc, message, answer);
    };
    handleHeld(connection, doc, goOn, handle);
  }
}
