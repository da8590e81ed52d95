// The side of a conversation that differs between the two protocols, and how a conversation ends.
import { CLOSE_CODES, type ErrorCode } from '../../protocol/errors.ts';

export interface End {
  readonly code: ErrorCode;
  /** The close code of the contract for this end. */
  readonly closeCode: number;
  readonly message: string;
  /** The client may come back at once: nothing was wrong with it, or its token has to be shown again. */
  readonly isShort: boolean;
}

/** The differences of the two protocols. */
export interface ConversationOut {
  /** One call for each step 2 and update: everything in it is durable, or it was refused. */
  saved(isSaved: boolean): void;
  /** The document is about to be shown for the first time. */
  opened(isReadOnly: boolean): void;
  /** The client's role in the document, before it is shown for the first time, and at each change afterwards. */
  role(isReadOnly: boolean): void;
  /** An update was refused because the client may only read. */
  refusedAsReader(message: string): void;
  /** The client is told the fate of its step 2, so a reader is asked for one too. */
  readonly hasSyncStatus: boolean;
  /** Something has been written to the socket. A provider then sends what it has kept of a lost connection. */
  readonly isAnswered: boolean;
  /** The client counts its unsaved changes anew on a new socket. */
  comesBack(): void;
  /** The token has ended. True if the client has been asked for another one. Otherwise the conversation ends. */
  asksForToken(): boolean;
  /** Called at most once. The document is not subscribed to any more. */
  ended(end: End): void;
}

/** The close codes of ends. All others are faults of the client. */
const CLOSES: ReadonlyMap<ErrorCode, number> = new Map<ErrorCode, number>([
  ['unauthenticated', CLOSE_CODES.unauthenticated],
  ['forbidden', CLOSE_CODES.forbidden],
  ['not-found', CLOSE_CODES.forbidden],
  ['too-large', CLOSE_CODES.frameTooLarge],
  ['rate-limited', CLOSE_CODES.overloaded],
  ['overloaded', CLOSE_CODES.overloaded],
  ['unavailable', CLOSE_CODES.overloaded],
  ['version-too-old', CLOSE_CODES.overloaded],
  ['internal', CLOSE_CODES.overloaded],
]);

export const endOf = (code: ErrorCode, message: string, isShort: boolean): End => ({
  code,
  closeCode: CLOSES.get(code) ?? CLOSE_CODES.badMessage,
  message,
  isShort,
});
