// A simulated server with clients on virtual time, for tests that tell one story.
import { type ClientOptions, TroupeClient } from '../../client/index.ts';
import { SimulatedServer, type SimulatedSocket } from './simulated-server.ts';
import { seeded, VirtualTime } from './virtual-time.ts';

export class Harness {
  readonly time = new VirtualTime();
  readonly random = seeded(7);
  readonly server = new SimulatedServer(this.time, this.random);

  client(options: Partial<ClientOptions> = {}): TroupeClient {
    return new TroupeClient({
      urls: ['ws://one/v1/socket'],
      webSocket: this.server.webSocket,
      platform: this.time.platform(this.random),
      ...options,
    });
  }

  /** Long enough for anything on a good network, too short for a backoff to grow. */
  settle(ms = 1_000): void {
    this.time.advance(ms);
  }

  /** Virtual time for what needs promises too: tokens. */
  async settleSlowly(ms = 1_000): Promise<void> {
    for (let i = 0; i < 20; i++) {
      this.time.advance(ms / 20);
      await Promise.resolve();
      await Promise.resolve();
    }
  }

  socketOf(client: TroupeClient): SimulatedSocket {
    for (const socket of this.server.sockets) if (socket.client === client.id) return socket;
    throw new Error('not connected');
  }

  /** The committed patches of a document, as sent to everyone. */
  log(name: string): unknown[] {
    return (this.server.documents.get(name)?.log ?? []).map((entry) => entry.op);
  }

  sent(type: string): Record<string, unknown>[] {
    return this.server.received.filter((message) => message.type === type).map((message) => ({ ...message }));
  }
}

/** Collects what an emitter tells. */
export function heard<Events, Name extends keyof Events>(
  source: { on(name: Name, listener: (event: Events[Name]) => void): () => void },
  name: Name,
): Events[Name][] {
  const events: Events[Name][] = [];
  source.on(name, (event) => events.push(event));
  return events;
}
