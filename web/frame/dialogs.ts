// The page's small dialogs: the person's name and colour, and a link's address. Each resolves once, with the
// choice, or undefined if it was dismissed. Focus goes back to the element that had it.
import { el } from '../dom.ts';
import { COLOURS, cleanName, type Person } from './people.ts';

export function askPerson(me: Person): Promise<Person | undefined> {
  const name = el('input', {
    class: 'input',
    attrs: {
      id: 'person-name',
      type: 'text',
      autocomplete: 'nickname',
      required: true,
    },
  });
  name.value = me.name;
  const colours = el('fieldset', { class: 'swatches' }, el('legend', { text: 'Colour' }));
  for (const colour of COLOURS) {
    const input = el('input', {
      attrs: { type: 'radio', name: 'colour', value: colour.hex, checked: colour.hex === me.colour },
    });
    const swatch = el('label', { class: 'swatch', title: colour.name }, input);
    input.setAttribute('aria-label', colour.name);
    swatch.style.setProperty('--person', colour.hex);
    colours.append(swatch);
  }
  const fields = [
    el('label', { class: 'label', text: 'Your name', attrs: { for: 'person-name' } }),
    name,
    colours,
  ];
  return ask('How others see you', fields, 'Save', (form) => {
    const colour = new FormData(form).get('colour');
    return {
      name: cleanName(name.value) || me.name,
      colour: typeof colour === 'string' ? colour : me.colour,
    };
  });
}

/** The new address of a link; empty to remove the link. */
export function askLink(current: string): Promise<string | undefined> {
  const address = el('input', {
    class: 'input',
    attrs: {
      id: 'link-address',
      type: 'text',
      inputmode: 'url',
      placeholder: 'https://',
      autocomplete: 'off',
    },
  });
  address.value = current;
  const fields: HTMLElement[] = [
    el('label', { class: 'label', text: 'Address', attrs: { for: 'link-address' } }),
    address,
  ];
  let removed = false;
  if (current !== '') {
    const open = el('a', {
      class: 'button quiet',
      text: 'Open',
      attrs: { href: current, target: '_blank', rel: 'noopener noreferrer' },
    });
    // Not a submit button: Enter in the box would press the first submit button of the form.
    const remove = el('button', { class: 'button quiet', text: 'Remove link', attrs: { type: 'button' } });
    remove.addEventListener('click', () => {
      removed = true;
      remove.form?.requestSubmit();
    });
    fields.push(el('div', { class: 'link-actions' }, open, remove));
  }
  return ask('Link', fields, 'Apply', () => {
    const value = removed ? '' : address.value.trim();
    return value === '' || /^[a-z][a-z0-9+.-]*:|^[/#]/i.test(value) ? value : `https://${value}`;
  });
}

/** A short text, trimmed. */
export function askText(
  title: string,
  label: string,
  current: string,
  maxLength: number,
): Promise<string | undefined> {
  const text = el('input', {
    class: 'input',
    attrs: {
      id: 'asked-text',
      type: 'text',
      required: true,
      maxlength: String(maxLength),
      autocomplete: 'off',
    },
  });
  text.value = current;
  const fields = [el('label', { class: 'label', text: label, attrs: { for: 'asked-text' } }), text];
  return ask(title, fields, 'Save', () => text.value.trim());
}

function ask<T>(
  title: string,
  fields: HTMLElement[],
  action: string,
  result: (form: HTMLFormElement) => T,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    let chosen: T | undefined;
    const cancel = el('button', { class: 'button quiet', text: 'Cancel', attrs: { type: 'button' } });
    const submit = el('button', { class: 'button', text: action, attrs: { type: 'submit' } });
    const form = el(
      'form',
      { attrs: { method: 'dialog' } },
      el('h2', { text: title, attrs: { id: 'dialog-title' } }),
      ...fields,
      el('div', { class: 'dialog-actions' }, cancel, submit),
    );
    const dialog = el('dialog', { class: 'dialog', attrs: { 'aria-labelledby': 'dialog-title' } }, form);
    cancel.addEventListener('click', () => dialog.close());
    form.addEventListener('submit', () => {
      chosen = result(form);
    });
    dialog.addEventListener('mousedown', (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(chosen);
    });
    document.body.append(dialog);
    dialog.showModal();
    form.querySelector<HTMLInputElement>('.input')?.select();
  });
}
