// A simulated server with clients on virtual time, for tests that tell one story.

import {
  type ClientEvents,
  type ClientOptions,
  type DocumentEvents,
  type JsonChange,
  type JsonDocument,
  type JsonStep,
  type Presence,
  type PresenceEvents,
  type RichTextChange,
  type RichTextDocument,
  TroupeClient,
  type YjsChange,
  type YjsDocument,
} from '../../client/index.ts';
import type { Delta } from '../../client/ot/delta.ts';
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

  /** The default is long enough for any exchange on a good network, and too short for a backoff to grow. */
  settle(ms = 1_000): void {
    this.time.advance(ms);
  }

  /** The same for exchanges that need promises too, such as tokens. */
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

type Told<Change, Patch> = DocumentEvents<Change, Patch>;

/** Collects the events of an emitter. */
export function heard<N extends keyof ClientEvents>(source: TroupeClient, name: N): ClientEvents[N][];
export function heard<N extends keyof PresenceEvents>(source: Presence, name: N): PresenceEvents[N][];
export function heard<N extends keyof Told<RichTextChange, Delta>>(
  source: RichTextDocument,
  name: N,
): Told<RichTextChange, Delta>[N][];
export function heard<N extends keyof Told<JsonChange, readonly JsonStep[]>>(
  source: JsonDocument,
  name: N,
): Told<JsonChange, readonly JsonStep[]>[N][];
export function heard<N extends keyof Told<YjsChange, Uint8Array>>(
  source: YjsDocument,
  name: N,
): Told<YjsChange, Uint8Array>[N][];
export function heard(
  source: { on(name: never, listener: (event: unknown) => void): () => void },
  name: string,
): unknown[] {
  const events: unknown[] = [];
  source.on(name as never, (event) => events.push(event));
  return events;
}
