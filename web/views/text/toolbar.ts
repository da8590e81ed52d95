// The formats that a person can choose. Quill's toolbar module finds the controls by their classes and keeps
// their pressed state. This file makes and names them, and moves the focus among them as in the toolbar
// pattern of ARIA: one tab stop, arrows, Home and End. Escape leads back to the text.
import { el, type IconName, icon } from '../../dom.ts';

const GROUPS: readonly (readonly { format: string; value?: string; icon: IconName; label: string }[])[] = [
  [
    { format: 'bold', icon: 'bold', label: 'Bold' },
    { format: 'italic', icon: 'italic', label: 'Italic' },
    { format: 'underline', icon: 'underline', label: 'Underline' },
    { format: 'strike', icon: 'strike', label: 'Strikethrough' },
    { format: 'code', icon: 'code', label: 'Code' },
    { format: 'link', icon: 'link', label: 'Link (Ctrl+K)' },
  ],
  [
    { format: 'list', value: 'bullet', icon: 'bullets', label: 'Bulleted list' },
    { format: 'list', value: 'ordered', icon: 'numbers', label: 'Numbered list' },
    { format: 'list', value: 'check', icon: 'checklist', label: 'Checklist' },
    { format: 'indent', value: '-1', icon: 'outdent', label: 'Less indent (Ctrl+[)' },
    { format: 'indent', value: '+1', icon: 'indent', label: 'More indent (Ctrl+])' },
  ],
  [
    { format: 'blockquote', icon: 'quote', label: 'Quote' },
    { format: 'code-block', icon: 'codeblock', label: 'Code block' },
    { format: 'clean', icon: 'clear', label: 'Clear formatting' },
  ],
];

/** @param leave puts the focus back on the text */
export function createToolbar(leave: () => void): HTMLElement {
  const style = el('select', {
    class: 'ql-header',
    title: 'Text style',
    attrs: { 'aria-label': 'Text style' },
  });
  style.append(
    el('option', { text: 'Text', attrs: { selected: true, value: '' } }),
    el('option', { text: 'Title', attrs: { value: '1' } }),
    el('option', { text: 'Heading', attrs: { value: '2' } }),
    el('option', { text: 'Subheading', attrs: { value: '3' } }),
  );
  const toolbar = el('div', { class: 'toolbar', attrs: { role: 'toolbar', 'aria-label': 'Formatting' } });
  toolbar.append(el('div', { class: 'toolbar-group' }, style));
  for (const group of GROUPS) {
    const box = el('div', { class: 'toolbar-group' });
    for (const { format, value, icon: name, label } of group) {
      const attrs = {
        type: 'button',
        'aria-label': label,
        'aria-pressed': 'false',
        ...(value ? { value } : {}),
      };
      box.append(el('button', { class: `icon-button ql-${format}`, title: label, attrs }, icon(name)));
    }
    toolbar.append(box);
  }
  walkWithKeys(toolbar, leave);
  return toolbar;
}

/** Quill leaves the style box empty while the text has no focus; this sets it to `Text` then. */
export function settleStyleBox(toolbar: HTMLElement): void {
  const style = toolbar.querySelector('select');
  if (style !== null && style.selectedIndex < 0) style.selectedIndex = 0;
}

/** Puts the focus on the control of the toolbar that had it last. */
export function enterToolbar(toolbar: HTMLElement): void {
  toolbar.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
}

function walkWithKeys(toolbar: HTMLElement, leave: () => void): void {
  const controls = [...toolbar.querySelectorAll<HTMLElement>('button, select')];
  const stopAt = (control: HTMLElement | undefined): void => {
    for (const other of controls) other.tabIndex = other === control ? 0 : -1;
  };
  stopAt(controls[0]);
  toolbar.addEventListener('focusin', (event) => {
    stopAt(controls.find((control) => control === event.target));
  });
  toolbar.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!(event.target instanceof HTMLElement)) return;
    const index = controls.indexOf(event.target);
    const next: Record<string, number> = {
      ArrowRight: index + 1,
      ArrowLeft: index - 1,
      Home: 0,
      End: controls.length - 1,
    };
    const to = next[event.key];
    if (to !== undefined) controls[(to + controls.length) % controls.length]?.focus();
    else if (event.key === 'Escape') leave();
    else return;
    event.preventDefault();
  });
}
