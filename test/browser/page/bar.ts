// The bar of the page at every width, for the tests of the layout.
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { picture } from '../windows.ts';

const WIDTHS = [360, 390, 768, 844, 900, 1_100, 1_440];

/** Pictures begin with `name`. */
export async function nothingOverlaps(page: Page, name: string): Promise<void> {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: width < 700 ? 780 : 900 });
    await picture(page, `${name}-${width}`);
    assert.deepEqual(await faults(page), [], `${width} px`);
  }
}

/** Controls of the bar that overlap, stick out of the window or are squeezed, once the page has drawn a frame in its new width. */
function faults(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    // The number of avatars follows the width in the frame after it has changed.
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const bar = document.querySelector('.bar');
    const parts = [...document.querySelectorAll('.bar button, .bar a, .bar .title, .bar .status')]
      .map((element) => ({
        name: element.getAttribute('aria-label') ?? element.className,
        avatar: element.matches('.others button'),
        box: element.getBoundingClientRect(),
        squeezed: element.matches('button, a') && element.scrollWidth > element.clientWidth + 1,
      }))
      .filter(({ box }) => box.width > 0);
    const found: string[] = [];
    for (const [index, one] of parts.entries()) {
      if (one.box.left < 0 || one.box.right > innerWidth) found.push(`${one.name} is outside the window`);
      if (one.squeezed) found.push(`${one.name} is squeezed`);
      if (one.box.width < 24 && !one.name.includes('status')) found.push(`${one.name} is a sliver`);
      for (const other of parts.slice(index + 1)) {
        const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
        const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
        // Avatars stand like a hand of cards, some pixels over each other.
        const allowed = one.avatar && other.avatar ? 7 : 0.5;
        if (across > allowed && down > 0.5) found.push(`${one.name} and ${other.name} overlap`);
      }
    }
    if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways');
    if (bar !== null && bar.scrollWidth > bar.clientWidth) found.push('the bar overflows');
    return found;
  });
}
