// A test of a node by itself before it reports ready: like a client it opens a socket, sends `hello`, and
// opens a document that does not exist. The answer has passed the socket, the owner and the database, so
// readiness is observed, not assumed, and the first client finds compiled code on that way. While the owner
// of that document is not reached, a welcome is enough: a node of a cluster serves the documents that it can,
// and answers `unavailable` for the rest.
import { X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { SELF_TEST_DOCUMENT } from '../../actors/self-test.ts';
import { jsonCodec } from '../../protocol/codec.ts';

export interface SelfTest {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** The certificate (PEM) that the node shows, if it speaks TLS. */
  readonly certificate?: string | undefined;
  /** Lets the test in as a user who may open the document. */
  readonly token: string;
  /** Whether the document has an owner now that the node reaches. */
  readonly isLed: (document: string) => boolean;
}

const ROUNDS = 5;
const LOOK_MS = 100;
/** Addresses that stand for all addresses, and the address where a socket of this machine reaches them. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Rejects if an answer does not come in time, or the socket is refused. */
export async function testSelf(options: SelfTest): Promise<void> {
  const host = LOOPBACK[options.host] ?? options.host;
  const url = `${options.certificate === undefined ? 'ws' : 'wss'}://${host.includes(':') ? `[${host}]` : host}:${options.port}/v1/socket`;
  for (let round = 0; round < ROUNDS; round++) await ask(url, options);
}

function ask(url: string, { timeoutMs, certificate, token, isLed }: SelfTest): Promise<void> {
  return new Promise((resolve, reject) => {
    // With the header, so that the sockets are not counted as those of clients.
    const headers = { authorization: `Bearer ${token}` };
    // The certificate is for the names of clients, which may lead elsewhere. It is compared as a whole below.
    const options = { perMessageDeflate: false, rejectUnauthorized: false, headers };
    const socket = new WebSocket(url, jsonCodec.subprotocol, options);
    const end = (error?: Error): void => {
      clearTimeout(timer);
      clearInterval(look);
      socket.terminate();
      if (error === undefined) resolve();
      else reject(error);
    };
    let isWelcome = false;
    const timer = setTimeout(() => {
      const what = isWelcome ? `open of ${SELF_TEST_DOCUMENT}, whose owner is silent,` : 'hello';
      end(new Error(`no answer to ${what} within ${timeoutMs} ms`));
    }, timeoutMs);
    // The owner may be lost while the answer is awaited.
    const look = setInterval(() => {
      if (isWelcome && !isLed(SELF_TEST_DOCUMENT)) end();
    }, LOOK_MS);
    socket.on('error', end);
    socket.on('close', (code) => end(new Error(`closed with ${code}`)));
    socket.on('upgrade', ({ socket: stream }) => {
      if (certificate !== undefined && !shows(stream, certificate))
        end(new Error('it shows another certificate'));
    });
    socket.on('open', () => socket.send(JSON.stringify({ type: 'hello', token })));
    socket.on('message', (frame) => {
      const { type } = jsonCodec.decode(String(frame));
      if (type !== 'welcome' && !isWelcome) return end(new Error('hello is refused'));
      // Any answer to `open` will do.
      if (type !== 'welcome' || !isLed(SELF_TEST_DOCUMENT)) return end();
      isWelcome = true;
      socket.send(JSON.stringify({ type: 'open', doc: SELF_TEST_DOCUMENT }));
    });
  });
}

function shows(stream: unknown, certificate: string): boolean {
  const shown = stream instanceof TLSSocket ? stream.getPeerX509Certificate() : undefined;
  return shown?.fingerprint256 === new X509Certificate(certificate).fingerprint256;
}
