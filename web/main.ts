// The page's entry: reads the address, leads to the shared document or to a new one, starts the app.
import { TroupeError } from '../client/index.ts';
import { App, failurePanel } from './app.ts';
import { randomBelow } from './frame/people.ts';
import { addressOf, newPlace, placeOf, SHARED_PLACE } from './place/place.ts';

const root = document.querySelector<HTMLElement>('#app');
if (root === null) throw new Error('the page has no #app');
start(root);

function start(root: HTMLElement): void {
  const found = placeOf(location.search, location.hash);
  if (found === 'bad') {
    root.replaceChildren(failurePanel(new TroupeError('bad-name', 'not a document')));
    return;
  }
  const place = found === 'new' ? newPlace(randomBelow) : (found ?? SHARED_PLACE);
  history.replaceState(null, '', addressOf(place));
  const socket = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/socket`;
  const app = new App({ root, socket, place, storage: localStorageIfAllowed() });
  window.addEventListener('popstate', () => follow(app));
  window.addEventListener('hashchange', () => follow(app));
}

/**
 * Handles an address changed by back, forward or by hand: it names another view of this place, or another
 * place.
 */
function follow(app: App): void {
  const target = placeOf(location.search, location.hash);
  if (typeof target !== 'object' || target.text !== app.place.text) location.reload();
  else if (target.view !== app.place.view) app.go(target, false);
}

function localStorageIfAllowed(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}
