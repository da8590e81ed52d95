// The question whether a node answers, asked before a run begins.
import { WebSocket } from 'ws';
import { z } from 'zod';
import { RunFailure } from '../command-line/cli-options.ts';

const ANSWER_MS = 5_000;

/** Rejects with RunFailure unless a WebSocket is opened and welcomed. */
export async function demandAnswer(url: string, token: string | undefined): Promise<void> {
  const socket = new WebSocket(url, 'troupe.v1.json', { handshakeTimeout: ANSWER_MS });
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) => reject(new RunFailure(`${url} does not answer: ${why}`));
      const timer = setTimeout(() => fail(`no welcome after ${ANSWER_MS} ms`), ANSWER_MS);
      const end = (run: () => void) => {
        clearTimeout(timer);
        run();
      };
      socket.on('open', () =>
        socket.send(JSON.stringify({ type: 'hello', client: 'loadtest-probe', ...(token && { token }) })),
      );
      socket.on('message', (data: Buffer) => {
        const message: unknown = JSON.parse(data.toString());
        const seen = answer.safeParse(message);
        if (seen.data?.type === 'welcome') end(resolve);
        else end(() => fail(seen.data?.message ?? 'it is no Troupe node'));
      });
      socket.on('error', (error: NodeJS.ErrnoException) => end(() => fail(error.code ?? error.message)));
      socket.on('close', (code) => end(() => fail(`closed with ${code}`)));
    });
  } finally {
    socket.on('error', () => undefined);
    socket.terminate();
  }
}

const answer = z.object({ type: z.string(), message: z.string().optional() });
