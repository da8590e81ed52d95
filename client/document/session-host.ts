// The interfaces of a session's two neighbours: the client below it, and the document above it. Shapes only.
import type { Limits } from '../../protocol/limits.ts';
import type { ClientMessage, Role } from '../../protocol/messages.ts';
import type { ClientState, DocumentState, Rejection } from '../api.ts';
import type { SendResult } from '../connection/connection.ts';
import type { TroupeError } from '../errors.ts';
import type { Platform } from '../platform.ts';

/** The services that a session gets from its client. */
export interface SessionHost {
  readonly client: string;
  readonly platform: Platform;
  clientState(): ClientState;
  limits(): Limits;
  send(message: ClientMessage): SendResult;
  measure(message: ClientMessage): number;
  /** A seq above all seqs that this client has used, and above `known`. */
  nextSeq(known: number): number;
  requestId(): string;
  /** 0 if a submit may be sent now, or the milliseconds until one may. */
  takeSubmit(): number;
}

export interface SessionHandlers<Patch> {
  state(state: DocumentState): void;
  role(role: Role): void;
  ready(): void;
  /** Called at each `opened`, with the others' presence. */
  opened(presence: Record<string, unknown>): void;
  down(): void;
  presence(states: Record<string, unknown>): void;
  /** @param edit the number of the first edit that was lost with it */
  rejected(rejection: Rejection<Patch>, edit: number): void;
  /** Edits may have been settled, and positions may have moved. */
  progress(): void;
  error(error: TroupeError): void;
  /**
   * The document is over, for good; `error` is set if the application did not close it.
   * @param unsaved the number of the first edit that was given up; undefined if every edit was settled
   */
  closed(
    end: { code?: string; message?: string },
    error: TroupeError | undefined,
    unsaved: number | undefined,
  ): void;
}
