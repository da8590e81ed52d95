// Reconnects to a server that was away. The SDK waits longer after each failure, so that many clients do not
// overload a server that is starting; a page with a person in front of it need not wait so long. While the
// connection is lost and the page is in sight, it asks the server with a small request whether it is ready,
// and connects when it is; it also tries as soon as the person comes back to the page.
import type { TroupeClient } from '../client/index.ts';

/** Time between two requests, plus a random time up to as much again. */
const ASK_EVERY_MS = 800;
/** After so many requests without an answer only the SDK's own attempts go on. */
const MOST_QUESTIONS = 150;
const ANSWER_TIMEOUT_MS = 5_000;

export class Return {
  readonly #client: TroupeClient;
  readonly #readyUrl: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  /** `readyUrl`: answers with a status of success while the server can serve. */
  constructor(client: TroupeClient, readyUrl: string) {
    this.#client = client;
    this.#readyUrl = readyUrl;
    client.on('failed', () => this.#schedule());
    client.on('state', (state) => {
      if (state !== 'connecting') this.#stop();
    });
    for (const event of ['focus', 'online'] as const) {
      window.addEventListener(event, () => this.now());
    }
    document.addEventListener('visibilitychange', () => this.now());
  }

  /** Tries to connect at once, if the connection is lost and the page is in sight. */
  now(): void {
    if (this.#client.state !== 'connecting' || document.visibilityState !== 'visible') return;
    this.#asked = 0;
    this.#client.connect();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#client.state !== 'connecting') return;
    if (this.#asked >= MOST_QUESTIONS || document.visibilityState !== 'visible') return;
    this.#timer = setTimeout(
      () => void this.#ask().finally(() => this.#schedule()),
      ASK_EVERY_MS * (1 + Math.random()),
    );
  }

  async #ask(): Promise<void> {
    this.#asked += 1;
    try {
      const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
      const answer = await fetch(this.#readyUrl, { cache: 'no-store', signal });
      if (answer.ok && this.#client.state === 'connecting') this.#client.connect();
    } catch {
      // The server is still away.
    } finally {
      this.#timer = undefined;
    }
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#asked = 0;
  }
}
