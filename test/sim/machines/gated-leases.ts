// A lease store as a thread of a simulated process sees it: answers and events come in that thread, while it
// runs, and by its clock.
import type { EventListener } from '../../../actors/storage/store.ts';
import type { Lease, LeaseStore, MapEntry, StateListener } from '../../../cluster/liveness/lease-store.ts';
import type { Thread } from './thread.ts';

export class GatedLeases implements LeaseStore {
  readonly #store: LeaseStore;
  readonly #thread: Thread;

  constructor(store: LeaseStore, thread: Thread) {
    this.#store = store;
    this.#thread = thread;
    thread.join({ stop: () => undefined, goOn: () => undefined, kill: () => void store.close() });
  }

  renew(lease: Lease): Promise<void> {
    return this.#thread.gate(this.#store.renew(lease));
  }

  list(): Promise<readonly Lease[]> {
    return this.#thread.gate(this.#store.list());
  }

  release(run: string): Promise<void> {
    return this.#thread.gate(this.#store.release(run));
  }

  publish(event: string): Promise<void> {
    return this.#thread.gate(this.#store.publish(event));
  }

  subscribe(listener: EventListener): () => void {
    return this.#store.subscribe({
      onEvent: (event) => this.#thread.run(() => listener.onEvent(event)),
      onGap: () => this.#thread.run(() => listener.onGap()),
    });
  }

  writeMap(entries: readonly MapEntry[]): Promise<void> {
    return this.#thread.gate(this.#store.writeMap(entries));
  }

  readMap(): Promise<readonly MapEntry[]> {
    return this.#thread.gate(this.#store.readMap());
  }

  onState(listener: StateListener): () => void {
    return this.#store.onState((state, reason) => this.#thread.run(() => listener(state, reason)));
  }

  get state(): LeaseStore['state'] {
    return this.#store.state;
  }

  steadySince(): number | undefined {
    const since = this.#store.steadySince();
    const { offsetMs, rate } = this.#thread.time;
    return since === undefined ? undefined : offsetMs + since * rate;
  }

  close(): Promise<void> {
    return this.#thread.gate(this.#store.close());
  }
}
