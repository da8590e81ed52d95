// The dials of this node: one for each member of the cluster, from its arrival until it has gone. The network
// keeps the connections.
import type { Member } from '../liveness/members.ts';
import { addressOf, type PeerDial, type PeerNetwork, type ProbeResult } from './network.ts';

export class PeerDials {
  readonly #network: Pick<PeerNetwork, 'dial'>;
  readonly #dials = new Map<string, PeerDial>();

  constructor(network: Pick<PeerNetwork, 'dial'>) {
    this.#network = network;
  }

  /** Dials the member from now on. */
  begin({ run, address }: Pick<Member, 'run' | 'address'>): void {
    this.#dials.set(run, this.#network.dial({ run, address: addressOf(address) }));
  }

  /** Asks that run over a separate connection whether it lives. Undefined if the run is not dialled. */
  probe(run: string, timeoutMs: number): Promise<ProbeResult> | undefined {
    return this.#dials.get(run)?.redialNow(timeoutMs);
  }

  end(run: string): void {
    this.#dials.get(run)?.close();
    this.#dials.delete(run);
  }

  endAll(): void {
    for (const run of [...this.#dials.keys()]) this.end(run);
  }
}
