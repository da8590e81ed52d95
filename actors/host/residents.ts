// The actors of a worker's documents, by name. An actor is made for the first message of its document, and
// forgotten with all that other parts of the worker keep for it.
import { type ActorLimits, DocumentActor } from '../document/actor.ts';
import type { DocumentEffects } from '../document/effects.ts';

/** A part of the worker that keeps something for actors. */
export interface KeepsForActors {
  forget(actor: DocumentActor): void;
}

export class Residents {
  readonly #actors = new Map<string, DocumentActor>();
  readonly #limits: ActorLimits;
  readonly #keepers: readonly KeepsForActors[];

  constructor(limits: ActorLimits, keepers: readonly KeepsForActors[]) {
    this.#limits = limits;
    this.#keepers = keepers;
  }

  /** In the order in which they were made. */
  all(): Iterable<DocumentActor> {
    return this.#actors.values();
  }

  get(name: string): DocumentActor | undefined {
    return this.#actors.get(name);
  }

  getOrMake(name: string, effectsOf: (actor: DocumentActor) => DocumentEffects): DocumentActor {
    let actor = this.#actors.get(name);
    if (actor === undefined) {
      actor = new DocumentActor(name, effectsOf, this.#limits);
      this.#actors.set(name, actor);
    }
    return actor;
  }

  /** False for an actor that was forgotten: its document may have another one. */
  isCurrent(actor: DocumentActor): boolean {
    return this.#actors.get(actor.name) === actor;
  }

  /**
   * Removes the actor of a document that starts over. Gateways open the document again on new channels,
   * with a new actor.
   */
  forget(actor: DocumentActor): void {
    actor.drop();
    for (const keeper of this.#keepers) keeper.forget(actor);
    if (this.isCurrent(actor)) this.#actors.delete(actor.name);
  }

  /** Drops these actors. Gateways look for the owner again. */
  moveAway(actors: Iterable<DocumentActor>): void {
    for (const actor of [...actors]) {
      actor.reset(true);
      this.forget(actor);
    }
  }
}
