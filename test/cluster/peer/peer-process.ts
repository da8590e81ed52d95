// A node in a process of its own, for tests that stop or kill it, or in which the test itself stands still.
// Its parent tells it the address to dial, and hears of its pulses.
//
//   node peer-process.js RUN SECRET PEER_RUN PEER_PORT

import { systemClock } from '../../../actors/clock.ts';
import { monotonicMs } from '../../../actors/liveness/liveness.ts';
import { createTcpNetwork } from '../../../cluster/peer/tcp/network-tcp.ts';

const [run = '', secret = '', peerRun = '', peerPort = ''] = process.argv.slice(2);
const host = '127.0.0.1';
const network = createTcpNetwork({
  identity: { cluster: 'test', node: run.replace('run-', 'node-'), run },
  host,
  port: 0,
  credentials: { secret },
  clock: systemClock,
  random: Math.random,
  log: () => {},
});
network.onEvent((event) => {
  if (event.type === 'up') event.peer.onPulse(() => process.send?.({ pulseMs: monotonicMs() }));
});
const { port } = await network.listen();
network.dial({ run: peerRun, address: { host, port: Number(peerPort) } });
process.send?.({ port });
process.on('disconnect', () => process.exit());
