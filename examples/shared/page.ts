// The parts that the pages of the examples share: the document and the node of the page, the person at the window,
// and the line that tells about the connection.

export interface Place {
  /** Such as `ws://127.0.0.1:8080`. */
  readonly node: string;
  /** `org/doc` */
  readonly doc: string;
  /** Undefined for a node with `auth.mode: none`. */
  readonly token: string | undefined;
}

/** From the address of the page: `?doc=org/name&node=ws://host&token=…`. The page itself names the usual node. */
export function place(usualDoc: string): Place {
  const query = new URLSearchParams(location.search);
  const usual = document.querySelector('meta[name=troupe-node]')?.getAttribute('content');
  return {
    node: (query.get('node') ?? usual ?? location.origin).replace(/\/$/, ''),
    doc: query.get('doc') ?? usualDoc,
    token: query.get('token') ?? undefined,
  };
}

export interface Person {
  readonly name: string;
  readonly color: string;
}

/** The person of this window: `?name=` in the address of the page, or somebody. */
export function person(): Person {
  const name = new URLSearchParams(location.search).get('name') ?? oneOf(NAMES);
  return { name, color: oneOf(COLORS) };
}

/** Shows `text` beside the button, and tells whether the button has the window online. */
export function statusLine(onToggle: (isOnline: boolean) => void): (text: string) => void {
  const status = element('status');
  const button = element('online');
  let isOnline = true;
  button.addEventListener('click', () => {
    isOnline = !isOnline;
    button.textContent = isOnline ? 'Go offline' : 'Go online';
    onToggle(isOnline);
  });
  return (text) => {
    status.textContent = text;
  };
}

export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

const NAMES = ['Ada', 'Grace', 'Mary', 'Alan', 'Edsger', 'Barbara'] as const;
const COLORS = ['#be123c', '#0f766e', '#6d28d9', '#b45309', '#1d4ed8', '#15803d'] as const;

const oneOf = <T>(list: readonly [T, ...T[]]): T => list[Math.floor(Math.random() * list.length)] ?? list[0];
