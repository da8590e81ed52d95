// Typed events, delivered in the order in which they were emitted: an event that a listener causes is
// delivered after the event that the listener handles. A listener that throws harms neither the SDK nor the
// listeners after it: its exception surfaces as an uncaught error of a task of its own.

/** `Events` maps an event name to the argument of its listeners. */
export interface Listenable<Events> {
  /** Adds a listener; returns the function that removes it. The same listener may be added twice. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
}

export class Emitter<Events> implements Listenable<Events> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #waiting: (() => void)[] = [];
  #delivering = false;

  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    // A new function for each call, so that the same listener may be in the set twice.
    const entry = (event: Events[Name]) => listener(event);
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(entry);
    return () => listeners.delete(entry);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    if (!this.#listeners.has(name)) return;
    this.#waiting.push(() => this.#deliver(name, event));
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) next();
    } finally {
      this.#delivering = false;
    }
  }

  #deliver<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])] as ((event: Events[Name]) => void)[]) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
