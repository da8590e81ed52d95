// Signs the person in where the node asks for tokens: a panel above the document takes a token, also a new one when the
// former has ended. The document stays in sight and keeps every edit meanwhile. The token begins a session, whose cookie
// the browser keeps out of the reach of scripts. Where the node begins none, the token is kept in memory alone.
import { TroupeError } from '../../client/index.ts';
import { el } from '../dom.ts';
import { Session } from './session.ts';
import { userOf } from './token-user.ts';

export interface SignInClient {
  readonly state: 'connecting' | 'live' | 'offline';
  setToken(token: string | (() => undefined)): void;
  goOffline(): void;
  goOnline(): void;
  on(event: 'state', listener: (state: 'connecting' | 'live' | 'offline') => void): unknown;
}

const FIRST =
  'This node asks its users for a token. Your application gives you one; for development, `troupe token` prints one.';
const ENDED =
  'Your sign-in has ended. What you write is kept in this window, and is sent once you have signed in again.';
const OTHER_USER =
  'This token is for another user. Reload the page to work as that user: what has not been sent is lost then.';

export class SignIn {
  readonly element: HTMLElement;
  readonly #client: SignInClient;
  readonly #session: Session;
  /** Whether the session of this browser has been looked for since the page was let in last. */
  #hasLooked = false;
  readonly #changed: () => void;
  readonly #text = el('p', { class: 'sign-in-text' });
  readonly #problem = el('p', { class: 'sign-in-problem', attrs: { role: 'alert' } });
  readonly #token = el('input', {
    class: 'input',
    attrs: {
      id: 'sign-in-token',
      type: 'password',
      autocomplete: 'off',
      spellcheck: 'false',
      required: true,
    },
  });
  /** The user as whom this page has been let in. Its edits belong to that user. */
  #user: string | undefined;
  /** The user who signed in last, and whether the server has let the page in since. */
  #given: { readonly user: string; readonly bearer: string | undefined; taken: boolean } | undefined;

  /** `changed` is called when the panel comes or goes. */
  constructor(client: SignInClient, storage: Storage | undefined, changed: () => void) {
    this.#client = client;
    this.#session = new Session(storage);
    if (this.#session.isNoted) void this.#find();
    this.#changed = changed;
    const form = el(
      'form',
      { class: 'sign-in-form' },
      el('label', { class: 'label', text: 'Token', attrs: { for: 'sign-in-token' } }),
      this.#token,
      el('button', { class: 'button', text: 'Sign in', attrs: { type: 'submit' } }),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit(this.#token.value.trim());
    });
    this.element = el(
      'section',
      { class: 'sign-in', attrs: { 'aria-labelledby': 'sign-in-title', hidden: true } },
      el('h2', { text: 'Sign in', attrs: { id: 'sign-in-title' } }),
      this.#text,
      form,
      this.#problem,
    );
    client.on('state', (state) => {
      if (state === 'live') this.#welcomed();
    });
  }

  /** Tell the node who asks, in requests beside the connection. The cookie of a session goes by itself. */
  async requestHeaders(): Promise<Readonly<Record<string, string>>> {
    if (this.#given?.bearer !== undefined) return { authorization: `Bearer ${this.#given.bearer}` };
    if (this.#session.isNoted && !this.#session.isKnown) await this.#session.resume();
    return this.#session.headers;
  }

  get isSignedIn(): boolean {
    return this.#user !== undefined && !this.isNeeded;
  }

  /** The server then closes the sockets of all windows of the session. A page with a token alone forgets it. */
  async signOut(): Promise<void> {
    if (this.#given?.bearer === undefined) await this.#session.end();
    else location.reload();
  }

  /** The page was loaded anew, and the cookie lets it in. Keeps the session fresh from now on. */
  async #find(): Promise<void> {
    const user = await this.#session.resume();
    this.#user ??= user;
  }

  get isNeeded(): boolean {
    return !this.element.hidden;
  }

  /** Shows the panel if the error asks for a token. False if it is another error. */
  takes(error: unknown): boolean {
    if (!(error instanceof TroupeError) || error.code !== 'unauthenticated') return false;
    if (this.#hasLooked) this.#ask(error);
    else void this.#resume(error);
    return true;
  }

  /** Goes on by the session that this browser has, or asks the person. */
  async #resume(error: TroupeError): Promise<void> {
    this.#hasLooked = true;
    const user = await this.#session.resume();
    if (user === undefined || (this.#user !== undefined && user !== this.#user)) this.#ask(error);
    else this.#connect(user, () => undefined);
  }

  #ask(error: TroupeError): void {
    const isRefused = this.#given?.taken === false;
    this.#problem.textContent = isRefused ? `The node did not take this token: ${error.message}.` : '';
    if (isRefused && this.isNeeded) this.#token.select();
    if (isRefused) this.#given = undefined;
    this.#text.textContent = this.#user === undefined ? FIRST : ENDED;
    if (this.isNeeded) return;
    this.element.hidden = false;
    this.#changed();
    // A person who is writing goes on writing.
    if (this.#user === undefined) this.#token.focus();
  }

  async #submit(token: string): Promise<void> {
    if (token === '') return;
    const user = userOf(token);
    if (user === undefined) {
      this.#problem.textContent = 'That is no token: a token has three parts with dots between them.';
      return;
    }
    if (this.#user !== undefined && user !== this.#user) {
      this.#problem.textContent = OTHER_USER;
      return;
    }
    this.#problem.textContent = '';
    const isBegun = (await this.#session.begin(token)) !== undefined;
    this.#connect(user, isBegun ? () => undefined : token);
  }

  /** The token, or a function that has none where the cookie of the session says who the user is. */
  #connect(user: string, token: string | (() => undefined)): void {
    this.#given = { user, bearer: typeof token === 'string' ? token : undefined, taken: false };
    // A live connection would renew its token without a word. Dialled anew, it says whether the token was taken.
    if (this.#client.state === 'live') this.#client.goOffline();
    this.#client.setToken(token);
    this.#client.goOnline();
  }

  #welcomed(): void {
    this.#hasLooked = false;
    if (this.#given !== undefined) {
      this.#given.taken = true;
      this.#user = this.#given.user;
    }
    this.#token.value = '';
    if (!this.isNeeded) return;
    this.element.hidden = true;
    this.#changed();
  }
}
