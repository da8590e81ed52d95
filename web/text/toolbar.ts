// The formats one can choose. Quill's toolbar module finds the controls by their classes and keeps
// their pressed state; this file makes them, names them, and lets arrow keys walk along them.
import { el, type IconName, icon } from '../dom.ts';

const GROUPS: readonly (readonly { format: string; value?: string; icon: IconName; label: string }[])[] = [
  [
    { format: 'bold', icon: 'bold', label: 'Bold' },
    { format: 'italic', icon: 'italic', label: 'Italic' },
    { format: 'underline', icon: 'underline', label: 'Underline' },
    { format: 'strike', icon: 'strike', label: 'Strikethrough' },
    { format: 'code', icon: 'code', label: 'Code' },
    { format: 'link', icon: 'link', label: 'Link' },
  ],
  [
    { format: 'list', value: 'bullet', icon: 'bullets', label: 'Bulleted list' },
    { format: 'list', value: 'ordered', icon: 'numbers', label: 'Numbered list' },
    { format: 'list', value: 'check', icon: 'checklist', label: 'Checklist' },
  ],
  [
    { format: 'blockquote', icon: 'quote', label: 'Quote' },
    { format: 'code-block', icon: 'codeblock', label: 'Code block' },
    { format: 'clean', icon: 'clear', label: 'Clear formatting' },
  ],
];

export function createToolbar(): HTMLElement {
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
  walkWithArrows(toolbar);
  return toolbar;
}

/** Quill leaves the style box empty while the text has no focus; it then says `Text` as the text does. */
export function settleStyleBox(toolbar: HTMLElement): void {
  const style = toolbar.querySelector('select');
  if (style !== null && style.selectedIndex < 0) style.selectedIndex = 0;
}

/** One tab stop for the whole bar; arrow keys go from control to control. */
function walkWithArrows(toolbar: HTMLElement): void {
  const controls = [...toolbar.querySelectorAll<HTMLElement>('button, select')];
  const stopAt = (control: HTMLElement | undefined): void => {
    for (const other of controls) other.tabIndex = other === control ? 0 : -1;
  };
  stopAt(controls[0]);
  toolbar.addEventListener('focusin', (event) => {
    stopAt(controls.find((control) => control === event.target));
  });
  toolbar.addEventListener('keydown', (event) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const index =
      document.activeElement instanceof HTMLElement ? controls.indexOf(document.activeElement) : -1;
    controls[(index + step + controls.length) % controls.length]?.focus();
    event.preventDefault();
  });
}
