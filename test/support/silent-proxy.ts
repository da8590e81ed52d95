// A proxy before a server that can fall silent: connections stand and are accepted, and no byte passes, as
// with a network that drops everything or a server that is stopped. No byte is lost: all pass later.
import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';

export interface SilentProxy {
  /** `url` with the proxy's address in it. */
  readonly url: string;
  silence(): void;
  speak(): void;
  /** Resolves with the next connection that the proxy accepts. */
  taken(): Promise<void>;
}

export async function startSilentProxy(
  t: { after(close: () => Promise<void>): void },
  url: string,
): Promise<SilentProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let isSilent = false;
  const pass = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (data) => to.write(data));
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    if (isSilent) from.pause();
  };
  const server = createServer((client) => {
    const upstream = dial(Number(target.port), target.hostname);
    pass(client, upstream);
    pass(upstream, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return {
    url: Object.assign(new URL(url), { host: `127.0.0.1:${address.port}` }).href,
    silence: () => {
      isSilent = true;
      for (const socket of sockets) socket.pause();
    },
    taken: async () => {
      await once(server, 'connection');
    },
    speak: () => {
      isSilent = false;
      for (const socket of sockets) socket.resume();
    },
  };
}
