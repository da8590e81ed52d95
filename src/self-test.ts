// Before a node says that it is ready it asks itself, as a client would: a socket, `hello`, and `open` of a
// document that nobody has made. The answer has gone the whole way, socket, owner, database and back, so
// readiness is seen, not assumed; and the first client finds that way compiled (measured: a third of
// connect -> synced after a start). While the owner of that document is not reached, a welcome is
// enough: a node of a cluster serves what it can, and says `unavailable` of the rest.
import { WebSocket } from 'ws';
import { jsonCodec } from '../protocol/codec.ts';

export interface SelfTest {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Whether that document has an owner now whom the node reaches. */
  readonly isLed: (document: string) => boolean;
}

const ROUNDS = 5;
const DOCUMENT = 'troupe/self-test';
const LOOK_MS = 100;
/** Addresses to listen on everywhere, and where a socket of this machine finds them. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Rejects where an answer does not come in time, or the socket is refused. */
export async function testSelf(options: SelfTest): Promise<void> {
  const host = LOOPBACK[options.host] ?? options.host;
  const url = `ws://${host.includes(':') ? `[${host}]` : host}:${options.port}/v1/socket`;
  for (let round = 0; round < ROUNDS; round++) await ask(url, options);
}

function ask(url: string, { timeoutMs, isLed }: SelfTest): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, jsonCodec.subprotocol, { perMessageDeflate: false });
    const end = (error?: Error): void => {
      clearTimeout(timer);
      clearInterval(look);
      socket.terminate();
      if (error === undefined) resolve();
      else reject(error);
    };
    let isWelcome = false;
    const timer = setTimeout(() => {
      const what = isWelcome ? `open of ${DOCUMENT}, whose owner is silent,` : 'hello';
      end(new Error(`no answer to ${what} within ${timeoutMs} ms`));
    }, timeoutMs);
    // It may be lost in between.
    const look = setInterval(() => {
      if (isWelcome && !isLed(DOCUMENT)) end();
    }, LOOK_MS);
    socket.on('error', end);
    socket.on('close', (code) => end(new Error(`closed with ${code}`)));
    socket.on('open', () => socket.send(JSON.stringify({ type: 'hello' })));
    socket.on('message', (frame) => {
      const { type } = jsonCodec.decode(String(frame));
      // Whatever the answer to `open` is: it was given.
      if (type !== 'welcome' || !isLed(DOCUMENT)) return end();
      isWelcome = true;
      socket.send(JSON.stringify({ type: 'open', doc: DOCUMENT }));
    });
  });
}
