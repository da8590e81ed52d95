// Puts text on the clipboard.
import { el } from '../dom.ts';

/**
 * Copies text to the clipboard; without a secure context through a selection. Returns false if neither
 * worked.
 */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = el('textarea', { class: 'visually-hidden', attrs: { 'aria-hidden': 'true' } });
    box.value = text;
    document.body.append(box);
    box.select();
    const copied = document.execCommand('copy');
    box.remove();
    return copied;
  }
}
