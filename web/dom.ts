// Small helpers to build the page's elements by code. They only ever set text, attributes and properties: no
// markup from strings, so no content of a document can become markup.

type Child = Node | string | undefined;
interface Options {
  class?: string;
  text?: string;
  title?: string;
  /** Attributes as in HTML; `true` writes an empty one, `false` leaves it out. */
  attrs?: Record<string, string | boolean>;
  on?: { [Name in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[Name]) => void };
}

/** An element with its class, text, attributes, listeners and children. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  options: Options = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (options.class !== undefined) element.className = options.class;
  if (options.text !== undefined) element.textContent = options.text;
  if (options.title !== undefined) element.title = options.title;
  for (const [name, value] of Object.entries(options.attrs ?? {})) {
    if (value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  for (const [name, listener] of Object.entries(options.on ?? {})) {
    element.addEventListener(name, listener as EventListener);
  }
  for (const child of children) if (child !== undefined) element.append(child);
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Paths drawn on a 24 × 24 grid, stroked in the text's colour. */
const ICONS = {
  undo: ['M8 5 3.5 9.5 8 14', 'M4 9.5h10a5.5 5.5 0 0 1 0 11h-3'],
  redo: ['m16 5 4.5 4.5L16 14', 'M20 9.5H10a5.5 5.5 0 0 0 0 11h3'],
  link: [
    'M10 13.5a4.5 4.5 0 0 0 6.4.4l3-3a4.5 4.5 0 0 0-6.4-6.4L11.6 6',
    'M14 10.5a4.5 4.5 0 0 0-6.4-.4l-3 3a4.5 4.5 0 0 0 6.4 6.4L12.4 18',
  ],
  plus: ['M12 5v14', 'M5 12h14'],
  more: ['M5.5 12h.01', 'M12 12h.01', 'M18.5 12h.01'],
  close: ['m6 6 12 12', 'M18 6 6 18'],
  chevron: ['m7 10 5 5 5-5'],
  windows: ['M3.5 4h11v9.5h-11z', 'M18 9.5h2.5V20H9.5v-3'],
  check: ['m5 12.5 4.5 4.5L19 7.5'],
  bold: ['M7 4.5h6a3.75 3.75 0 0 1 0 7.5H7z', 'M7 12h7a3.75 3.75 0 0 1 0 7.5H7z'],
  italic: ['M10.5 4.5H18', 'M6 19.5h7.5', 'm14.25 4.5-4.5 15'],
  underline: ['M7 4.5v6a5 5 0 0 0 10 0v-6', 'M5.5 20h13'],
  strike: [
    'M16.5 7.5c-.6-1.9-2.3-3-4.5-3-2.7 0-4.6 1.4-4.6 3.5 0 1.6 1 2.7 3 3.4',
    'M4 12h16',
    'M15.5 14c.7.6 1.1 1.4 1.1 2.3 0 2.1-1.9 3.2-4.6 3.2-2.5 0-4.3-1.1-4.9-3',
  ],
  code: ['m8.5 7.5-5 4.5 5 4.5', 'm15.5 7.5 5 4.5-5 4.5'],
  quote: ['M6 6v12', 'M10.5 8h9', 'M10.5 12h9', 'M10.5 16h6'],
  bullets: ['M9.5 6h10.5', 'M9.5 12h10.5', 'M9.5 18h10.5', 'M4.5 6h.01', 'M4.5 12h.01', 'M4.5 18h.01'],
  numbers: [
    'M10 6h10',
    'M10 12h10',
    'M10 18h10',
    'M3.7 4.5 5 3.8v5',
    'M3.5 15.3c.2-.9 2.3-1 2.3.3 0 1-2.3 1.7-2.3 3.2h2.5',
  ],
  indent: ['M4 5.5h16', 'M11 10h9', 'M11 14h9', 'M4 18.5h16', 'm4 9.5 3 2.5-3 2.5'],
  outdent: ['M4 5.5h16', 'M11 10h9', 'M11 14h9', 'M4 18.5h16', 'm7 9.5-3 2.5 3 2.5'],
  checklist: ['m3.5 7 1.5 1.5L8 5.5', 'm3.5 17 1.5 1.5 3-3', 'M12 7h8', 'M12 17h8'],
  codeblock: ['M4.5 4.5h15v15h-15z', 'm9.8 9.5-2.5 2.5 2.5 2.5', 'm14.2 9.5 2.5 2.5-2.5 2.5'],
  clear: ['M5 5h12', 'M11.5 5 9.5 19', 'm15 14 5 5', 'm20 14-5 5'],
  page: ['M6 3.5h8l4.5 4.5v12.5H6z', 'M13.5 3.5V8.5h5', 'M9 13h6.5', 'M9 16.5h4.5'],
  board: ['M4 4.5h4.5v15H4z', 'M9.75 4.5h4.5v10h-4.5z', 'M15.5 4.5H20v7h-4.5z'],
} as const satisfies Record<string, readonly string[]>;

export type IconName = keyof typeof ICONS;

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}

/** The logo: three players, close together. */
export function logo(): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 32 32');
  svg.setAttribute('class', 'logo');
  svg.setAttribute('aria-hidden', 'true');
  const rect = document.createElementNS(SVG, 'rect');
  for (const [name, value] of [
    ['width', '32'],
    ['height', '32'],
    ['rx', '8'],
  ] as const) {
    rect.setAttribute(name, value);
  }
  svg.append(rect);
  for (const [cx, cy] of [
    ['11', '12.5'],
    ['21', '12.5'],
    ['16', '20.5'],
  ] as const) {
    const circle = document.createElementNS(SVG, 'circle');
    circle.setAttribute('cx', cx);
    circle.setAttribute('cy', cy);
    circle.setAttribute('r', '4.6');
    svg.append(circle);
  }
  return svg;
}

/** An icon button with its accessible name, which is its tooltip too. */
export function iconButton(
  name: IconName,
  label: string,
  onClick: () => void,
  className = '',
): HTMLButtonElement {
  return el(
    'button',
    {
      class: `icon-button ${className}`.trim(),
      title: label,
      attrs: { type: 'button', 'aria-label': label },
      on: { click: onClick },
    },
    icon(name),
  );
}
