// A load that somebody steers while it runs, in place of the course of its scenario. Types alone.
import type { Stretch } from './result.ts';
import type { Usage } from './servers/usage.ts';

export interface Steering {
  /** Clients of the beginning. */
  readonly first: number;
  /** The load ends when it resolves. */
  steer(load: SteeredLoad): Promise<void>;
}

/** A load whose number of clients can be changed. Clients arrive and leave document by document. */
export interface SteeredLoad {
  /**
   * Nobody makes an edit until `goOn`. Edits that were due and are not made are forgotten. Resolves when all others have
   * their answers, or after half a minute.
   */
  rest(): Promise<void>;
  /** The typing begins anew. */
  goOn(): void;
  /** Resolves when all are connected or gone, or after half a minute. */
  setClients(count: number): Promise<void>;
  /** Figures of the next seconds. */
  measure(seconds: number): Promise<MeasuredStretch>;
}

export interface MeasuredStretch extends Stretch {
  /** Errors, rejections and lost connections that came during it. */
  readonly errors: number;
  readonly usage: Usage | undefined;
}
