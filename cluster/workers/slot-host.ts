// The interfaces between the workers of a node and the module that gives them shards: the cluster's controller,
// or the node alone.
import type { Quarantined } from '../../actors/quarantine.ts';
import type { Epoch, SessionId } from '../../actors/storage/store.ts';
import type { PeerStream } from '../peer/network.ts';
import type { OwnerLink } from '../shards/owner-link.ts';

/** shard -> epoch. */
export type Epochs = ReadonlyMap<number, Epoch>;

/** The workers as they take shards and give them up. `Workers` says more. */
export interface ShardWorkers {
  claim(slot: number, shards: readonly number[]): Promise<Epochs>;
  adopt(slot: number, shards: readonly number[]): Promise<Epochs>;
  release(slot: number, shards: readonly number[], to: SessionId): Promise<Epochs>;
}

/** The workers as a cluster uses them. `Workers` implements it. */
export interface SlotHost extends ShardWorkers {
  attach(session: SessionId, stream: PeerStream): boolean;
  countFailure(doc: string): void;
  adoptQuarantined(quarantined: Quarantined): void;
  releaseQuarantined(doc: string): boolean;
  quarantined(most: number): readonly Quarantined[];
}

/** Notified of the workers that can own shards. */
export interface SlotListener {
  /** A worker serves. It owns no shards yet. */
  up(slot: number, session: SessionId, link: OwnerLink): void;
  /** The worker has ended and has lost its shards. Its session is fenced before `up` is called again. */
  down(slot: number, link: OwnerLink): void;
  /** A worker of this node has died while handling this document, or the handling has thrown. */
  docFailed(doc: string): void;
  /** This node has quarantined the document. */
  quarantined(quarantined: Quarantined): void;
  /** This node's own session is no longer live, so the node must end. */
  fenced(): void;
}
