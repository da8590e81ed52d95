// A client of the y-websocket protocol for tests of single frames. It keeps a Y.Doc if it is asked to, and says nothing by
// itself. The providers of stock-providers.ts are the real clients.

import type { TestContext } from 'node:test';
import { createDecoder, readVarString, readVarUint } from 'lib0/decoding';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { type AwarenessState, readAwareness, writeAwareness } from '../../src/yjs/wire/awareness.ts';
import {
  AUTH,
  awarenessBody,
  queryAwarenessBody,
  step1Body,
  step2Body,
  updateBody,
} from '../../src/yjs/wire/body.ts';
import { readYWebsocket } from '../../src/yjs/wire/y-websocket.ts';
import { untilSeen } from '../support/until.ts';

export type Told =
  | { readonly type: 'step-1'; readonly bytes: Uint8Array }
  | { readonly type: 'step-2'; readonly bytes: Uint8Array }
  | { readonly type: 'update'; readonly bytes: Uint8Array }
  | { readonly type: 'awareness'; readonly states: readonly AwarenessState[] }
  | { readonly type: 'denied'; readonly reason: string };

const BOUNDS = { states: 10_000, stateBytes: 1_000_000 };

export class YwsClient {
  readonly socket: WebSocket;
  readonly doc = new Y.Doc();
  /** Every message that was not taken, in order. */
  readonly received: Told[] = [];
  closed: { code: number; reason: string } | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => this.#take(told(data)));
    socket.on('close', (code: number, reason: Buffer) => {
      this.closed = { code, reason: reason.toString() };
    });
    socket.on('error', () => undefined);
  }

  /** `path`: what follows `/yjs/`. */
  static async connect(
    t: Pick<TestContext, 'after'>,
    port: number,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    protocols: string[] = [],
  ): Promise<YwsClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/yjs/${path}`, protocols, {
      headers,
      perMessageDeflate: false,
    });
    const client = new YwsClient(socket);
    t.after(() => socket.terminate());
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  /** Connects, and brings its document to the server's. */
  static async synced(t: Pick<TestContext, 'after'>, port: number, path: string): Promise<YwsClient> {
    const client = await YwsClient.connect(t, port, path);
    await client.sync();
    return client;
  }

  get text(): string {
    return this.doc.getText('t').toString();
  }

  async sync(): Promise<void> {
    this.step1();
    await this.next('step-2');
  }

  step1(vector = Y.encodeStateVector(this.doc)): void {
    this.socket.send(step1Body(vector));
  }

  step2(update: Uint8Array): void {
    this.socket.send(step2Body(update));
  }

  update(update: Uint8Array): void {
    this.socket.send(updateBody(update));
  }

  /** Edits its document and sends the update, which it returns. */
  insert(text: string, at = 0): Uint8Array {
    const before = Y.encodeStateVector(this.doc);
    this.doc.getText('t').insert(at, text);
    const update = Y.encodeStateAsUpdate(this.doc, before);
    this.update(update);
    return update;
  }

  aware(...states: AwarenessState[]): void {
    this.socket.send(awarenessBody(writeAwareness(states)));
  }

  queryAwareness(): void {
    this.socket.send(queryAwarenessBody());
  }

  /** Takes the first message of the type for which `isIt` holds. */
  next<T extends Told['type']>(
    type: T,
    isIt: (message: Extract<Told, { type: T }>) => boolean = () => true,
  ): Promise<Extract<Told, { type: T }>> {
    return untilSeen(
      () => `${type} among ${JSON.stringify(this.received)}, closed ${JSON.stringify(this.closed)}`,
      () => {
        const at = this.received.findIndex((m) => m.type === type && isIt(m as Extract<Told, { type: T }>));
        return at < 0 ? undefined : (this.received.splice(at, 1)[0] as Extract<Told, { type: T }>);
      },
    );
  }

  /** The state of this number, once it is as wanted. */
  state(yjsClient: number, text: string | null): Promise<unknown> {
    return this.next('awareness', ({ states }) =>
      states.some((state) => state.yjsClient === yjsClient && state.text === text),
    );
  }

  untilClosed(): Promise<{ code: number; reason: string }> {
    return untilSeen('the close', () => this.closed);
  }

  #take(message: Told): void {
    if (message.type === 'update' || message.type === 'step-2') Y.applyUpdate(this.doc, message.bytes);
    this.received.push(message);
  }
}

function told(frame: Uint8Array): Told {
  if (frame[0] === AUTH) {
    const decoder = createDecoder(Uint8Array.from(frame.subarray(1)));
    if (readVarUint(decoder) !== 0) throw new Error('an unknown auth message');
    return { type: 'denied', reason: readVarString(decoder) };
  }
  const message = readYWebsocket(Uint8Array.from(frame));
  switch (message.type) {
    case 'step-1':
      return { type: 'step-1', bytes: message.stateVector };
    case 'step-2':
    case 'update':
      return { type: message.type, bytes: message.update };
    case 'awareness':
      return { type: 'awareness', states: readAwareness(message.update, BOUNDS) };
    default:
      throw new Error(`a server does not send ${message.type}`);
  }
}
