// A node in a process of its own, for tests that stop it or kill it. Its parent says where to dial.
//   node peer-process.js RUN SECRET PEER_RUN PEER_PORT
import { systemClock } from '../../cluster/peer/clock.ts';
import { createTcpNetwork } from '../../cluster/peer/network-tcp.ts';

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
const { port } = await network.listen();
network.dial({ run: peerRun, address: { host, port: Number(peerPort) } });
process.send?.({ port });
process.on('disconnect', () => process.exit());
