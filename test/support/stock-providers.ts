// The providers of Yjs as their packages are published, each behind the same small interface. Tests edit one text through
// them. The packages are used as they are; only their WebSocket is given to them, as every application in Node does. It
// sends the headers of the test, and lets the test cut the connection.
// Over 400 lines because seven packages have one interface, and their differences are best read side by side.
import * as Y14 from '@y/y';
import * as hocuspocus2 from 'hocuspocus-provider-2';
import * as hocuspocus3 from 'hocuspocus-provider-3';
import * as hocuspocus4 from 'hocuspocus-provider-4';
import * as decoding from 'lib0/decoding';
import { WebSocket } from 'ws';
import { WebsocketProvider as YWebsocket1 } from 'y-websocket-1';
import { WebsocketProvider as YWebsocket2 } from 'y-websocket-2';
import { WebsocketProvider as YWebsocket3 } from 'y-websocket-3';
import { WebsocketProvider as YWebsocket4 } from 'y-websocket-4';
import * as Y from 'yjs';

export interface ProviderOptions {
  readonly port: number;
  /** `org/doc` */
  readonly doc: string;
  /** In `?token=`, or in the auth message, where a function is asked at each connect. */
  readonly token?: string | (() => string);
  /** A query for the URL of Hocuspocus, such as `token=x`. */
  readonly query?: string;
  /** Headers of the upgrade. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A text of an earlier provider, which this one continues: another start of the same application. */
  readonly text?: SharedText;
}

/** One text in a document of Yjs 13 or 14. */
export interface SharedText {
  /** The number that Yjs gave to the document: its clientID. */
  readonly yjsClient: number;
  text(): string;
  insert(at: number, text: string): void;
  remove(at: number, length: number): void;
  /** Everything in the document, as one update. */
  state(): Uint8Array;
  /** The next clock of its own edits. */
  readonly clock: number;
}

export type PresenceState = Readonly<Record<string, unknown>>;

export interface StockProvider extends SharedText {
  readonly shared: SharedText;
  /** The provider says that it has received the state of the server. */
  readonly isSynced: boolean;
  /** The provider says that the server has stored everything. Undefined if it never says so. */
  readonly isSaved: boolean | undefined;
  /** The changes that the provider counts as not stored. Undefined if it counts none. */
  readonly unsavedCount: number | undefined;
  /** The clock up to which a server of y-websocket has sent its own edits back. Zero for Hocuspocus. */
  readonly echoedClock: number;
  /** The provider says that it may only read. Undefined if it never says so. */
  readonly isReadOnly: boolean | undefined;
  /** Sets the own presence. Null removes it. */
  setPresence(state: PresenceState | null): void;
  /** The presence of all clients, the own one included, by clientID. */
  presences(): ReadonlyMap<number, PresenceState>;
  /** Cuts the connection without a close. The provider comes back by itself. */
  drop(): void;
  /** Connections that the provider has begun. */
  readonly connects: number;
  /** The codes with which its connections were closed. */
  readonly closes: readonly number[];
  /** The reasons for which the server refused or ended the document. */
  readonly refusals: readonly string[];
  /** Sends a stateless message. Throws if the package has none. */
  sendStateless(payload: string): void;
  /** The stateless messages that it received. */
  readonly stateless: readonly string[];
  destroy(): void;
}

export interface StockPackage {
  readonly name: string;
  readonly protocol: 'y-websocket' | 'hocuspocus';
  /** A text of the version of Yjs that the package uses. */
  newText(): SharedText;
  start(options: ProviderOptions): StockProvider;
}

class Text13 implements SharedText {
  readonly doc = new Y.Doc();
  readonly #text = this.doc.getText('t');

  get yjsClient(): number {
    return this.doc.clientID;
  }
  text(): string {
    return this.#text.toString();
  }
  insert(at: number, text: string): void {
    this.#text.insert(at, text);
  }
  remove(at: number, length: number): void {
    this.#text.delete(at, length);
  }
  state(): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc);
  }
  get clock(): number {
    return Y.getState(this.doc.store, this.doc.clientID);
  }
}

class Text14 implements SharedText {
  readonly doc = new Y14.Doc();
  readonly #text = this.doc.get('t');

  get yjsClient(): number {
    return this.doc.clientID;
  }
  text(): string {
    return this.#text.toString();
  }
  insert(at: number, text: string): void {
    this.#text.insert(at, text);
  }
  remove(at: number, length: number): void {
    this.#text.delete(at, length);
  }
  state(): Uint8Array {
    return Y14.encodeStateAsUpdate(this.doc);
  }
  get clock(): number {
    return Y14.decodeStateVector(Y14.encodeStateVector(this.doc)).get(this.doc.clientID) ?? 0;
  }
}

type WebSocketClass = new (url: string | URL, protocols?: string | string[]) => WebSocket;

/** The WebSocket that a provider is given: a class of `ws`, and the sockets that were made of it. */
class Sockets {
  readonly made: WebSocket[] = [];
  readonly closes: number[] = [];
  readonly denied: string[] = [];
  readonly heard: ((frame: Uint8Array) => void)[] = [];
  readonly Socket: WebSocketClass;

  constructor(headers: Readonly<Record<string, string>> = {}) {
    const { made, closes, denied, heard } = this;
    this.Socket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols ?? [], { headers: { ...headers }, perMessageDeflate: false });
        made.push(this);
        this.on('error', () => undefined);
        this.on('close', (code) => closes.push(code));
        this.on('message', (data: ArrayBuffer) => {
          const bytes = new Uint8Array(data);
          // y-websocket's message of a refusal, which the provider only prints.
          if (bytes[0] === 2 && bytes[1] === 0) denied.push(Buffer.from(bytes.subarray(3)).toString());
          for (const hear of heard) hear(bytes);
        });
      }
    };
  }

  drop(): void {
    this.made.at(-1)?.terminate();
  }
}

/** The part of an awareness that the tests use. The packages have one of two classes. */
interface AwarenessLike {
  setLocalState(state: Record<string, unknown> | null): void;
  getStates(): Map<number, Record<string, unknown>>;
  destroy(): void;
}

abstract class Stock<T extends SharedText> implements StockProvider {
  readonly shared: T;
  readonly sockets: Sockets;
  readonly stateless: string[] = [];
  readonly echoedClock: number = 0;
  abstract readonly isSynced: boolean;
  abstract readonly isSaved: boolean | undefined;
  abstract readonly unsavedCount: number | undefined;
  abstract readonly isReadOnly: boolean | undefined;
  abstract readonly refusals: readonly string[];
  protected abstract readonly awareness: AwarenessLike;

  constructor(shared: T, { headers }: ProviderOptions) {
    this.shared = shared;
    this.sockets = new Sockets(headers);
  }

  get yjsClient(): number {
    return this.shared.yjsClient;
  }
  text(): string {
    return this.shared.text();
  }
  insert(at: number, text: string): void {
    this.shared.insert(at, text);
  }
  remove(at: number, length: number): void {
    this.shared.remove(at, length);
  }
  state(): Uint8Array {
    return this.shared.state();
  }
  get clock(): number {
    return this.shared.clock;
  }
  setPresence(state: PresenceState | null): void {
    this.awareness.setLocalState(state === null ? null : { ...state });
  }
  presences(): ReadonlyMap<number, PresenceState> {
    return this.awareness.getStates();
  }
  drop(): void {
    this.sockets.drop();
  }
  get connects(): number {
    return this.sockets.made.length;
  }
  get closes(): readonly number[] {
    return this.sockets.closes;
  }
  sendStateless(_payload: string): void {
    throw new Error('y-websocket has no stateless messages');
  }
  abstract destroy(): void;
}

interface YWebsocketLike {
  readonly synced: boolean;
  readonly awareness: AwarenessLike;
  destroy(): void;
}

class YWebsocket<T extends SharedText> extends Stock<T> {
  readonly #provider: YWebsocketLike;
  override echoedClock = 0;
  readonly isSaved = undefined;
  readonly unsavedCount = undefined;
  readonly isReadOnly = undefined;

  constructor(
    shared: T,
    options: ProviderOptions,
    make: (url: string, room: string, more: YWebsocketOptions) => YWebsocketLike,
  ) {
    super(shared, options);
    const { port, doc, token } = options;
    this.sockets.heard.push((frame) => {
      this.echoedClock = Math.max(this.echoedClock, clockIn(frame, shared.yjsClient));
    });
    this.#provider = make(`ws://127.0.0.1:${port}/yjs`, doc, {
      params: token === undefined ? {} : { token: typeof token === 'string' ? token : token() },
      // The type of the browser's class.
      WebSocketPolyfill: this.sockets.Socket as object as typeof globalThis.WebSocket,
      // Otherwise providers in one process meet without a server.
      disableBc: true,
    });
  }

  protected get awareness(): AwarenessLike {
    return this.#provider.awareness;
  }
  get isSynced(): boolean {
    return this.#provider.synced;
  }
  get refusals(): readonly string[] {
    return this.sockets.denied;
  }
  destroy(): void {
    this.#provider.destroy();
    // Its timer would keep the process.
    this.awareness.destroy();
  }
}

/** The clock of a client after the edits of a sync frame. Step 1 tells it itself. */
function clockIn(frame: Uint8Array, yjsClient: number): number {
  const decoder = decoding.createDecoder(frame);
  if (decoding.readVarUint(decoder) !== 0) return 0;
  const isStep1 = decoding.readVarUint(decoder) === 0;
  const bytes = decoding.readVarUint8Array(decoder);
  if (isStep1) return Y.decodeStateVector(bytes).get(yjsClient) ?? 0;
  return Y.decodeUpdate(bytes).structs.reduce(
    (most, { id, length }) => (id.client === yjsClient ? Math.max(most, id.clock + length) : most),
    0,
  );
}

interface YWebsocketOptions {
  readonly params: Record<string, string>;
  readonly WebSocketPolyfill: typeof globalThis.WebSocket;
  readonly disableBc: boolean;
}

const yWebsocket = (
  version: string,
  Provider: typeof YWebsocket1 | typeof YWebsocket2 | typeof YWebsocket3,
): StockPackage => ({
  name: `y-websocket ${version}`,
  protocol: 'y-websocket',
  newText: () => new Text13(),
  start: (options) => {
    const text = options.text instanceof Text13 ? options.text : new Text13();
    return new YWebsocket(text, options, (url, room, more) => new Provider(url, room, text.doc, more));
  },
});

const yWebsocket4: StockPackage = {
  name: '@y/websocket 4',
  protocol: 'y-websocket',
  newText: () => new Text14(),
  start: (options) => {
    const text = options.text instanceof Text14 ? options.text : new Text14();
    return new YWebsocket(text, options, (url, room, more) => new YWebsocket4(url, room, text.doc, more));
  },
};

/** The parts of the three versions that the tests use. */
interface HocuspocusLike {
  readonly synced: boolean;
  readonly hasUnsyncedChanges: boolean;
  readonly unsyncedChanges: number;
  readonly authorizedScope: string | undefined;
  readonly awareness: AwarenessLike | null;
  on(
    event: string,
    call: (told: { reason?: string; payload?: string; event?: { reason: string } }) => void,
  ): unknown;
  sendStateless(payload: string): void;
  destroy(): void;
}

interface HocuspocusSocket {
  connect: () => Promise<unknown>;
  cancelWebsocketRetry?: (() => void) | undefined;
  destroy(): void;
}

type HocuspocusOptions = { doc: Y.Doc; name: string; token: string | (() => string) | null };

interface HocuspocusPackage {
  socket(options: { url: string; WebSocketPolyfill: WebSocketClass }): HocuspocusSocket;
  provider(socket: HocuspocusSocket, options: HocuspocusOptions): HocuspocusLike;
}

class Hocuspocus extends Stock<Text13> {
  readonly #socket: HocuspocusSocket;
  readonly #provider: HocuspocusLike;
  readonly refusals: string[] = [];

  constructor(shared: Text13, options: ProviderOptions, { socket, provider }: HocuspocusPackage) {
    super(shared, options);
    const { port, doc, token = null, query } = options;
    const more = query === undefined ? '' : `?${query}`;
    this.#socket = socket({
      url: `ws://127.0.0.1:${port}/hocuspocus${more}`,
      WebSocketPolyfill: this.sockets.Socket,
    });
    this.#provider = provider(this.#socket, { doc: shared.doc, name: doc, token });
    this.#provider.on('authenticationFailed', ({ reason = '' }) => this.refusals.push(reason));
    this.#provider.on('stateless', ({ payload = '' }) => this.stateless.push(payload));
  }

  protected get awareness(): AwarenessLike {
    const { awareness } = this.#provider;
    if (awareness === null) throw new Error('the provider has no awareness');
    return awareness;
  }
  get isSynced(): boolean {
    return this.#provider.synced;
  }
  get isSaved(): boolean {
    return !this.#provider.hasUnsyncedChanges;
  }
  get unsavedCount(): number {
    return this.#provider.unsyncedChanges;
  }
  get isReadOnly(): boolean | undefined {
    const { authorizedScope } = this.#provider;
    return authorizedScope === undefined ? undefined : authorizedScope === 'readonly';
  }
  override sendStateless(payload: string): void {
    this.#provider.sendStateless(payload);
  }
  destroy(): void {
    this.#provider.destroy();
    this.#socket.cancelWebsocketRetry?.();
    this.#socket.destroy();
    // Version 3 would still come back, if its connection was lost shortly before.
    this.#socket.connect = async () => undefined;
  }
}

const hocuspocus = (version: string, parts: HocuspocusPackage): StockPackage => ({
  name: `@hocuspocus/provider ${version}`,
  protocol: 'hocuspocus',
  newText: () => new Text13(),
  start: (options) =>
    new Hocuspocus(options.text instanceof Text13 ? options.text : new Text13(), options, parts),
});

/** All packages, the oldest of each kind first. */
export const STOCK_PACKAGES: readonly StockPackage[] = [
  yWebsocket('1.5', YWebsocket1),
  yWebsocket('2.1', YWebsocket2),
  yWebsocket('3', YWebsocket3),
  yWebsocket4,
  hocuspocus('2.15', {
    socket: (options) => new hocuspocus2.HocuspocusProviderWebsocket(options),
    provider: (socket, { doc, name, token }) =>
      new hocuspocus2.HocuspocusProvider({
        websocketProvider: socket as hocuspocus2.HocuspocusProviderWebsocket,
        document: doc,
        name,
        token,
        broadcast: false,
      }),
  }),
  hocuspocus('3.4', {
    socket: (options) => new hocuspocus3.HocuspocusProviderWebsocket(options),
    provider: (socket, { doc, name, token }) => {
      const provider = new hocuspocus3.HocuspocusProvider({
        websocketProvider: socket as hocuspocus3.HocuspocusProviderWebsocket,
        document: doc,
        name,
        token,
      });
      provider.attach();
      return provider;
    },
  }),
  hocuspocus('4', {
    socket: (options) => new hocuspocus4.HocuspocusProviderWebsocket(options),
    provider: (socket, { doc, name, token }) => {
      const provider = new hocuspocus4.HocuspocusProvider({
        websocketProvider: socket as hocuspocus4.HocuspocusProviderWebsocket,
        document: doc,
        name,
        token,
      });
      provider.attach();
      return provider;
    },
  }),
];
