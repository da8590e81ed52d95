// The page as a whole: one client, the two documents of a place, the frame around their views. It passes
// events between them and holds no content of its own.
import { type KindName, type Rejection, TroupeClient, TroupeError } from '../client/index.ts';
import { el } from './dom.ts';
import { describe, describeRejection } from './errors.ts';
import { copyText } from './frame/clipboard.ts';
import { askPerson } from './frame/dialogs.ts';
import { Header } from './frame/header.ts';
import { lostTextOf } from './frame/lost-text.ts';
import type { MenuItem } from './frame/menu.ts';
import { everyone, loadPerson, type Me, savePerson } from './frame/people.ts';
import { announcementOf, statusOf } from './frame/status.ts';
import { Toasts } from './frame/toasts.ts';
import { Past } from './history/past.ts';
import { HistoryView } from './history/view.ts';
import { SignIn } from './login/sign-in.ts';
import { isOurs, nextKind, type OpenedDocument, openAs, viewOfContent } from './place/opening.ts';
import {
  addressOf,
  addressOfDocument,
  documentOf,
  NEW_DOCUMENT,
  type Place,
  type View,
} from './place/place.ts';
import { noteRecent, readRecent } from './place/recent.ts';
import { Return } from './return.ts';
import type { DocumentView, ViewEvents } from './views/view.ts';

export interface AppOptions {
  root: HTMLElement;
  /** URL of `/v1/socket`. */
  socket: string;
  place: Place;
  /** Storage for the person's name; undefined if the browser forbids it. */
  storage: Storage | undefined;
}

interface Opened extends OpenedDocument {
  view: DocumentView;
  loaded: boolean;
  failure: unknown;
}

/** Time after which a lost connection is shown. */
const LOST_TOAST_MS = 4_000;

/** The toast that offers to undo the latest deletion. */
const UNDO_OFFER = 'undo';

/** Recent documents that the menu lists. */
const RECENT_SHOWN = 10;

export class App {
  readonly #client: TroupeClient;
  readonly #storage: Storage | undefined;
  readonly #header: Header;
  readonly #toasts = new Toasts();
  readonly #return: Return;
  readonly #signIn: SignIn;
  readonly #stage = el('div', { class: 'stage' });
  readonly #opened = new Map<View, Opened>();
  #place: Place;
  #me: Me;
  #offline = false;
  /** The text of edits that the server did not take, until the person has copied it. */
  #lost = '';

  constructor({ root, socket, place, storage }: AppOptions) {
    this.#client = new TroupeClient({ urls: [socket] });
    this.#return = new Return(this.#client, '/readyz');
    this.#signIn = new SignIn(this.#client, storage, () => this.#showStatus(this.#current()));
    this.#storage = storage;
    this.#place = place;
    this.#me = { client: this.#client.id, person: loadPerson(storage), joined: Date.now() };
    this.#header = new Header({
      undo: () => this.#back('undo'),
      redo: () => this.#back('redo'),
      copyLink: () => void this.#copyLink(),
      openWindow: () => this.#openWindow(),
      documents: () => this.#documents(),
      toggleOffline: () => this.#setOffline(!this.#offline),
      editPerson: () => void this.#editPerson(),
      go: (target) => this.go(target, true),
      find: (client) => this.#current().view.reveal(client),
    });
    this.#header.setMe(this.#me.person);
    root.replaceChildren(this.#header.element, this.#signIn.element, this.#stage, this.#toasts.element);
    this.#client.on('error', (error) => this.#report(error));
    this.#client.on('state', (state) => {
      if (state !== 'connecting') this.#toasts.dismiss('connection');
      this.#showStatus(this.#current());
    });
    window.addEventListener('beforeunload', (event) => {
      if ([...this.#opened.values()].some(({ doc }) => doc.pending)) event.preventDefault();
    });
    window.addEventListener('keydown', (event) => this.#shortcut(event));
    this.go(place, false);
  }

  /** Shows a place of the same group; `push`: as a new entry of the browser's history. */
  go(place: Place, push: boolean): void {
    const before = this.#opened.get(this.#place.view);
    this.#toasts.dismiss(UNDO_OFFER);
    if (push) history.pushState(null, '', addressOf(place));
    this.#place = place;
    const now = this.#opened.get(place.view) ?? this.#open(place);
    if (before !== undefined && before !== now) before.view.hidden();
    this.#header.setPlace(place);
    this.#header.setViews(!now.loaded || isOurs(now));
    now.view.shown();
    this.#show(now);
    this.#showAll();
  }

  get place(): Place {
    return this.#place;
  }

  #current(): Opened {
    return this.#opened.get(this.#place.view) ?? this.#open(this.#place);
  }

  /** @param refused the kind that the document turned out not to have */
  #open(place: Place, refused?: KindName): Opened {
    const events: ViewEvents = {
      titleChanged: () => this.#ifCurrent(opened, () => this.#showTitle(opened)),
      refused: (error) => this.#report(error),
      notify: (message) => this.#toasts.show(message),
      offerUndo: (message) => {
        const action = { label: 'Bring back', run: () => this.#back('undo') };
        this.#toasts.show(message, { key: UNDO_OFFER, action });
      },
      withdrawUndo: () => this.#toasts.dismiss(UNDO_OFFER),
      announce: (message) => this.#header.announce(message),
      undo: () => this.#back('undo'),
      redo: () => this.#back('redo'),
    };
    const kind = nextKind(place.view, refused) ?? 'rich-text';
    const opened: Opened = {
      ...openAs(kind, this.#client, place, this.#me, events),
      loaded: false,
      failure: undefined,
    };
    this.#opened.set(place.view, opened);
    this.#listen(opened, place, events);
    return opened;
  }

  /** The document's content has arrived. */
  #load(opened: Opened, events: ViewEvents): void {
    const view = viewOfContent(opened, this.#me, events);
    const isOther = view !== opened.view;
    if (isOther) opened.view.hidden();
    opened.view = view;
    opened.loaded = true;
    view.ready();
    this.#ifCurrent(opened, () => {
      if (isOther) {
        view.shown();
        this.#show(opened);
      }
      this.#header.setViews(isOurs(opened));
      this.#showAll();
    });
    view.element.removeAttribute('data-loading');
  }

  #fail(opened: Opened, place: Place, error: unknown): void {
    const { kind } = opened.doc;
    this.#toasts.dismiss(describe(error)); // The panel shows the error, or the next kind is the right one.
    const isOfAnother = error instanceof TroupeError && error.code === 'wrong-kind';
    if (isOfAnother && nextKind(place.view, kind) !== undefined) {
      const next = this.#open(place, kind);
      this.#ifCurrent(next, () => {
        next.view.shown();
        this.#show(next);
        this.#showAll();
      });
      return;
    }
    opened.failure = error;
    this.#ifCurrent(opened, () => this.#show(opened));
  }

  #listen(opened: Opened, place: Place, events: ViewEvents): void {
    const { doc } = opened;
    let state = doc.state;
    doc.on('state', (next) => {
      const announcement = announcementOf(state, next);
      state = next;
      this.#ifCurrent(opened, () => {
        this.#showStatus(opened);
        if (announcement !== undefined) this.#header.announce(announcement);
        if (next === 'offline') this.#sayIfLost(opened);
      });
    });
    // While offline the state does not change when edits begin to wait, so each change shows the status too.
    const changed = (): void => this.#ifCurrent(opened, () => this.#showStatus(opened));
    if (doc.kind === 'json') doc.on('change', changed);
    else if (doc.kind === 'yjs') doc.on('change', changed);
    else doc.on('change', changed);
    doc.on('history', () => this.#ifCurrent(opened, () => this.#showHistory(opened)));
    const rejected = ({ error, outcome, patch }: Rejection<unknown>): void => {
      const unknown = 'It is not known whether your last edit was stored; look whether it is there.';
      this.#lost += lostTextOf(patch);
      this.#toasts.show(outcome === 'unknown' ? unknown : describeRejection(error), {
        tone: 'error',
        key: `rejected ${error.code}`,
        // The document no longer has this text.
        ...(this.#lost.trim() === ''
          ? {}
          : { stays: true, action: { label: 'Copy it', run: () => void this.#copyLost() } }),
      });
    };
    if (doc.kind === 'json') doc.on('rejected', rejected);
    else if (doc.kind === 'yjs') doc.on('rejected', rejected);
    else doc.on('rejected', rejected);
    doc.on('role', () => this.#ifCurrent(opened, () => this.#showRole(opened)));
    doc.on('error', (error) => this.#report(error));
    doc.on('closed', ({ code }) => {
      if (code === 'deleted') this.#toasts.show('This document was deleted.', { tone: 'error' });
      else if (code === 'forbidden')
        this.#toasts.show('You may no longer open this document.', { tone: 'error', stays: true });
      else if (code === 'replaced')
        this.#toasts.show('This document is open elsewhere now.', { tone: 'error' });
    });
    doc.presence.on('change', () => this.#ifCurrent(opened, () => this.#showOthers(opened)));
    opened.view.element.dataset.loading = '';
    doc.ready.then(
      () => this.#load(opened, events),
      (error: unknown) => this.#fail(opened, place, error),
    );
  }

  #ifCurrent(opened: Opened, then: () => void): void {
    if (this.#opened.get(this.#place.view) === opened) then();
  }

  #show(opened: Opened): void {
    this.#stage.replaceChildren(
      opened.failure === undefined ? opened.view.element : failurePanel(opened.failure),
    );
  }

  #showAll(): void {
    const opened = this.#current();
    this.#showTitle(opened);
    this.#showStatus(opened);
    this.#showHistory(opened);
    this.#showRole(opened);
    this.#showOthers(opened);
  }

  #showRole({ doc }: Opened): void {
    this.#header.setReadOnly(doc.role === 'viewer' || doc.role === 'commenter');
  }

  #showTitle({ view, doc, loaded }: Opened): void {
    this.#header.setTitle(view.title, view.untitled);
    if (loaded) noteRecent(this.#storage, { doc: doc.name, title: view.title });
  }

  #showStatus({ doc }: Opened): void {
    const connecting = this.#client.state === 'connecting';
    const signedOut = this.#signIn.isNeeded;
    this.#header.setStatus(statusOf({ state: doc.state, pending: doc.pending, connecting, signedOut }));
    this.#header.setOnline(!this.#offline, this.#client.state === 'live');
  }

  #showHistory({ doc }: Opened): void {
    this.#header.setHistory(doc.canUndo, doc.canRedo);
  }

  #showOthers({ doc }: Opened): void {
    const people = [...everyone(this.#me, doc.presence.states)].map(([client, person]) => ({
      client,
      ...person,
    }));
    const others = people.filter(({ client }) => client !== this.#me.client);
    others.sort((a, b) => a.name.localeCompare(b.name) || (a.client < b.client ? -1 : 1));
    this.#header.setOthers(others);
    for (const person of people) if (person.client === this.#me.client) this.#header.setMe(person);
  }

  #sayIfLost(opened: Opened): void {
    setTimeout(() => {
      if (opened.doc.state !== 'offline' || this.#client.state !== 'connecting') return;
      const message =
        'The server cannot be reached. What you write is kept here and sent as soon as it is back.';
      const action = { label: 'Try now', run: () => this.#return.now() };
      this.#toasts.show(message, { tone: 'error', key: 'connection', action, stays: true });
    }, LOST_TOAST_MS);
  }

  #report(error: TroupeError | unknown): void {
    if (this.#signIn.takes(error)) return;
    // Edits wait for the sign-in, and the panel says so.
    if (this.#signIn.isNeeded && error instanceof TroupeError && error.code === 'unavailable') return;
    const message = describe(error);
    this.#toasts.show(message, { tone: 'error', key: message });
  }

  #back(way: 'undo' | 'redo'): void {
    this.#toasts.dismiss(UNDO_OFFER);
    try {
      this.#current().doc[way]();
    } catch (error) {
      this.#report(error);
    }
  }

  #setOffline(offline: boolean): void {
    this.#offline = offline;
    if (offline) this.#client.goOffline();
    else this.#client.goOnline();
    this.#showStatus(this.#current());
  }

  /** Undo and redo for every focus except an open text box. The text has its own keys. */
  #shortcut(event: KeyboardEvent): void {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.defaultPrevented) return;
    const target = event.target;
    const typing =
      target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea'));
    const key = event.key.toLowerCase();
    if (typing || (key !== 'z' && key !== 'y')) return;
    event.preventDefault();
    this.#back(key === 'y' || event.shiftKey ? 'redo' : 'undo');
  }

  async #editPerson(): Promise<void> {
    const person = await askPerson(this.#me.person);
    if (person === undefined) return;
    this.#me = { ...this.#me, person };
    savePerson(this.#storage, person);
    for (const { view } of this.#opened.values()) view.setMe(this.#me);
    this.#showOthers(this.#current());
  }

  /** Opens a window of half the screen, so that both windows can be seen at once; on a phone, another tab. */
  #openWindow(): void {
    const { availWidth, availHeight } = window.screen;
    const size = `width=${Math.max(480, Math.round(availWidth / 2))},height=${Math.round(availHeight * 0.9)}`;
    window.open(addressOf(this.#place), '_blank', `noopener,popup,${size}`);
  }

  #documents(): MenuItem[] {
    const here = documentOf(this.#place);
    const recent = readRecent(this.#storage).filter(({ doc }) => doc !== here);
    return [
      { label: 'New document', run: () => location.assign(NEW_DOCUMENT) },
      { label: 'Version history', run: () => this.#showPast() },
      { label: 'Open a second window', run: () => this.#openWindow() },
      ...(this.#signIn.isSignedIn ? [{ label: 'Sign out', run: () => void this.#signIn.signOut() }] : []),
      ...recent.slice(0, RECENT_SHOWN).map(({ doc, title }) => ({
        label: title || 'Untitled',
        detail: doc,
        run: () => location.assign(addressOfDocument(doc)),
      })),
    ];
  }

  /** Shows the version history in the place of the document, until it is closed. */
  #showPast(): void {
    const { doc } = this.#current();
    const past = new Past(doc.name, () => this.#signIn.requestHeaders());
    const view = new HistoryView(doc, past, {
      notify: (message) => this.#toasts.show(message),
      failed: (message) => this.#toasts.show(message, { tone: 'error' }),
      closed: () => this.#show(this.#current()),
    });
    this.#stage.replaceChildren(view.element);
    view.element.querySelector<HTMLButtonElement>('button')?.focus();
  }

  async #copyLost(): Promise<void> {
    const text = this.#lost.trim();
    this.#lost = '';
    const copied = await copyText(text);
    this.#toasts.show(copied ? 'Your text is in the clipboard.' : text, { key: 'copied', stays: !copied });
  }

  async #copyLink(): Promise<void> {
    const link = new URL(addressOf(this.#place), location.href).href;
    const copied = await copyText(link);
    this.#toasts.show(copied ? 'Link copied. Whoever opens it edits along.' : link, { key: 'link' });
  }
}

/** The panel in place of a view whose document cannot be opened. */
export function failurePanel(error: unknown): HTMLElement {
  return el(
    'main',
    { class: 'failure' },
    el('h2', { text: 'This document cannot be opened' }),
    el('p', { text: describe(error) }),
    el('a', { class: 'button', text: 'New document', attrs: { href: NEW_DOCUMENT } }),
  );
}
