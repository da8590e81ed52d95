// The handshake on a new wire, which tells each end the identity of the other. The dialler says hello, the
// listener says hello, the dialler proves that it knows the secret, then the listener does. The handshake has
// no time limit of its own: its callers close slow wires. A listener that refuses a hello because of the
// cluster's name, or because only one end uses a secret, says hello first, so that the log of a wrongly
// configured node can name the other end.
//
// The protection that each setting gives:
// - With a shared secret both ends prove that they know it (HMAC-SHA256 over both hellos, so over both
//   nonces, names, run ids and the purpose, by role). The secret never crosses the wire, and a listener
//   proves nothing to a dialler that has not proved itself. This authenticates the ends at the time of
//   connecting, and nothing else: later frames are neither encrypted nor authenticated, and an attacker who
//   can alter traffic between nodes can alter them. A secret alone suits networks that belong to the
//   operator. The secret must be random and long: an attacker who poses as a listener receives a proof,
//   against which guesses can be tested.
// - With mutual TLS (1.3) each end has a certificate of the cluster's CA, and all frames are confidential and
//   intact. Host names are not compared: every holder of a certificate of that CA counts as a node, so the CA
//   must serve this cluster only.
// - With both, the proofs also cover key material of the TLS session.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { HELLO, PROOF, REFUSE } from './frames.ts';
import { dials, type PeerIdentity } from './network.ts';
import type { Frame, Wire } from './wire.ts';

export const PROTOCOL_VERSION = 1;
/** Limit of each frame until the handshake is done. */
export const HANDSHAKE_FRAME_BYTES = 1024;
const MAX_NAME_BYTES = 200;
const MAGIC = 'troupe-peer';
const NONCE_BYTES = 32;
export const CONNECTION_ID_BYTES = 16;

export const LINK = 1;
export const HEARTBEATS = 2;
export const PROBE = 3;
export const PULSES = 4;
export type Purpose = typeof LINK | typeof HEARTBEATS | typeof PROBE | typeof PULSES;
/**
 * The purposes of the two connections that make a peer. Connections of other purposes may be dialled by
 * either run.
 */
const OF_PEER: readonly Purpose[] = [LINK, HEARTBEATS];
const PURPOSES: readonly Purpose[] = [...OF_PEER, PROBE, PULSES];

/** Codes on the wire. A code never changes its number. */
const REFUSALS = [
  'garbage',
  'version',
  'cluster',
  'authentication',
  'direction',
  'unknown-connection',
  'purpose',
] as const;
export type Refusal = (typeof REFUSALS)[number];

export interface HandshakeContext {
  readonly identity: PeerIdentity;
  /** Undefined if the channel authenticates (mutual TLS). */
  readonly secret: string | undefined;
  /** Key material of this TLS session. Empty without TLS. */
  readonly channel: Uint8Array;
  /** Fresh random bytes. */
  readonly randomBytes: (count: number) => Uint8Array;
}

export interface Introduced {
  readonly remote: PeerIdentity;
  readonly purpose: Purpose;
  /** In hex. Equal for both connections of a peer. */
  readonly connection: string;
}

/**
 * Called once. After a failure the caller destroys the wire (`finish` still sends the last frames to the
 * other end).
 */
export type HandshakeDone = (
  result: { readonly type: 'ok'; readonly introduced: Introduced } | HandshakeFailed,
) => void;

export interface HandshakeFailed {
  readonly type: 'failed';
  readonly reason: string;
  /** True if the connection failed; false if one of the ends refused. */
  readonly lost: boolean;
  /** The reason of the refusal, if it has a code. */
  readonly refusal?: Refusal;
  /** The identity that the other end claims, if it got as far as that. Nothing is proved. */
  readonly remote?: PeerIdentity;
}

export function checkIdentity(identity: PeerIdentity): void {
  for (const name of [identity.cluster, identity.node, identity.run])
    if (name === '' || Buffer.byteLength(name) > MAX_NAME_BYTES)
      throw new Error(`cluster, node and run have 1 to ${MAX_NAME_BYTES} bytes: ${name}`);
}

/** The dialler's side. Leaves the wire held. */
export function introduce(
  wire: Wire,
  context: HandshakeContext,
  purpose: Purpose,
  connection: Uint8Array,
  done: HandshakeDone,
): void {
  const own = encodeHello(context, purpose, connection);
  let theirs: Uint8Array | undefined;
  let introduced: Hello | undefined;
  const { end, failed } = endings(wire, done, () => introduced?.remote);
  wire.start({
    end,
    frame(frame) {
      if (frame.type === REFUSE) {
        const refusal = REFUSALS[frame.payload[0] ?? 0];
        return failed(`refused: ${refusal ?? 'unknown code'}`, refusal);
      }
      if (frame.type === HELLO && theirs === undefined) {
        theirs = frame.payload;
        const hello = readHello(frame.payload);
        if (typeof hello === 'string') return failed(hello, hello);
        introduced = hello;
        const refusal = refusalOf(context, hello);
        if (refusal !== undefined) return failed(refusal, refusal);
        wire.send(PROOF, 0, prove(context, 'dialler', own, theirs));
        return;
      }
      if (frame.type !== PROOF || theirs === undefined || introduced === undefined)
        return failed('garbage', 'garbage');
      if (!proves(frame, prove(context, 'listener', own, theirs)))
        return failed('authentication', 'authentication');
      wire.hold();
      done({ type: 'ok', introduced });
    },
  });
  wire.send(HELLO, 0, own.slice());
}

/** The listener's side. `admit` returns a code to refuse. Leaves the wire held. */
export function receive(
  wire: Wire,
  context: HandshakeContext,
  admit: (introduced: Introduced) => Refusal | undefined,
  done: HandshakeDone,
): void {
  let own: Uint8Array<ArrayBuffer> | undefined;
  let theirs: Uint8Array | undefined;
  let introduced: Hello | undefined;
  const { end, failed } = endings(wire, done, () => introduced?.remote);
  const refuse = (code: Refusal): void => {
    wire.send(REFUSE, 0, Uint8Array.of(REFUSALS.indexOf(code)));
    failed(code, code);
  };
  wire.start({
    end,
    frame(frame) {
      if (frame.type === HELLO && own === undefined) {
        theirs = frame.payload;
        const hello = readHello(frame.payload);
        if (typeof hello === 'string') return refuse(hello);
        introduced = hello;
        const refusal = refusalOf(context, hello);
        if (
          refusal === undefined &&
          OF_PEER.includes(hello.purpose) &&
          !dials(hello.remote.run, context.identity.run)
        )
          return refuse('direction');
        own = encodeHello(context, hello.purpose, Buffer.from(hello.connection, 'hex'));
        wire.send(HELLO, 0, own.slice());
        if (refusal !== undefined) refuse(refusal);
        return;
      }
      if (frame.type !== PROOF || own === undefined || theirs === undefined || introduced === undefined)
        return refuse('garbage');
      if (!proves(frame, prove(context, 'dialler', theirs, own))) return refuse('authentication');
      const refusal = admit(introduced);
      if (refusal !== undefined) return refuse(refusal);
      wire.send(PROOF, 0, prove(context, 'listener', theirs, own));
      wire.hold();
      done({ type: 'ok', introduced });
    },
  });
}

interface Hello extends Introduced {
  readonly usesSecret: boolean;
}

function endings(wire: Wire, done: HandshakeDone, remoteOf: () => PeerIdentity | undefined) {
  const tell = (failure: Omit<HandshakeFailed, 'type' | 'remote'>): void => {
    const remote = remoteOf();
    done({ type: 'failed', ...failure, ...(remote === undefined ? {} : { remote }) });
  };
  const failed = (reason: string, refusal?: Refusal): void => {
    wire.finish();
    tell({ reason, lost: false, ...(refusal === undefined ? {} : { refusal }) });
  };
  const end = (_: 'lost' | 'violation', detail: string): void => tell({ reason: detail, lost: true });
  return { end, failed };
}

/** The reason to refuse the other end before any proof. Undefined if there is none. */
function refusalOf(
  { identity, secret }: HandshakeContext,
  { remote, usesSecret }: Hello,
): Refusal | undefined {
  if (remote.cluster !== identity.cluster) return 'cluster';
  return usesSecret === (secret !== undefined) ? undefined : 'authentication';
}

// A hello: magic, version, purpose, whether a secret is used, connection id, nonce, three names with a length
// byte.
function encodeHello(
  { identity, secret, randomBytes }: HandshakeContext,
  purpose: Purpose,
  connection: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const names = [identity.cluster, identity.node, identity.run].map((name) => {
    const bytes = Buffer.from(name);
    return Buffer.concat([Buffer.of(bytes.length), bytes]);
  });
  return new Uint8Array(
    Buffer.concat([
      Buffer.from(MAGIC),
      Buffer.of(PROTOCOL_VERSION, purpose, secret === undefined ? 0 : 1),
      connection,
      randomBytes(NONCE_BYTES),
      ...names,
    ]),
  );
}

function readHello(payload: Uint8Array): Hello | Refusal {
  const bytes = Buffer.from(payload);
  const fixed = MAGIC.length + 3 + CONNECTION_ID_BYTES + NONCE_BYTES;
  if (bytes.length < fixed || bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return 'garbage';
  const [version, code, usesSecret] = bytes.subarray(MAGIC.length);
  const purpose = PURPOSES.find((each) => each === code);
  if (version !== PROTOCOL_VERSION) return 'version';
  if (purpose === undefined) return 'purpose';
  const names: string[] = [];
  let at = fixed;
  for (; at < bytes.length && names.length < 3; at += 1 + (bytes[at] ?? 0))
    names.push(bytes.toString('utf8', at + 1, at + 1 + (bytes[at] ?? 0)));
  const [cluster, node, run] = names;
  if (at !== bytes.length || !cluster || !node || !run) return 'garbage';
  const connection = bytes.toString('hex', MAGIC.length + 3, MAGIC.length + 3 + CONNECTION_ID_BYTES);
  return { remote: { cluster, node, run }, purpose, connection, usesSecret: usesSecret === 1 };
}

/** Empty if no secret is used. */
function prove(
  { secret, channel }: HandshakeContext,
  role: 'dialler' | 'listener',
  diallerHello: Uint8Array,
  listenerHello: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (secret === undefined) return new Uint8Array(0);
  const hmac = createHmac('sha256', secret);
  for (const part of [Buffer.from(`${MAGIC} ${role}`), diallerHello, listenerHello, channel]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    hmac.update(length).update(part);
  }
  return new Uint8Array(hmac.digest());
}

function proves(frame: Frame, expected: Uint8Array): boolean {
  return frame.payload.length === expected.length && timingSafeEqual(frame.payload, expected);
}
