// The chip that stands in an editor for an embed that the editor cannot show. It can be moved and deleted,
// and is converted back to its embed.
import type Quill from 'quill';
import type EmbedClass from 'quill/blots/embed.js';
import { embedOf, FOREIGN } from './display.ts';

/** Registers the chip with the editor. */
export function registerForeign(quill: Quill): void {
  if (quill.scroll.query(FOREIGN) !== null) return;
  const Embed = (quill.constructor as typeof Quill).import('blots/embed') as typeof EmbedClass;
  class ForeignEmbed extends Embed {
    static override blotName = FOREIGN;
    static override tagName = 'SPAN';
    static override className = 'ql-foreign';
    static override create(value?: unknown): HTMLElement {
      const node = document.createElement('span');
      node.className = ForeignEmbed.className;
      const json = typeof value === 'string' ? value : '{}';
      node.dataset.embed = json;
      node.append(nameOf(json));
      return node;
    }
    /** Undefined for a node that is not one of these chips; the editor then takes its text. */
    static override value(node: HTMLElement): string | undefined {
      return embedOf(node.dataset.embed) === undefined ? undefined : node.dataset.embed;
    }
  }
  quill.scroll.registry.register(ForeignEmbed);
}

function nameOf(json: string): string {
  const [key = 'content'] = Object.keys(embedOf(json) ?? {});
  return key.slice(0, 24);
}
