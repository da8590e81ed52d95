// The report of a load test: one HTML file that needs nothing else, with the result, the charts' library and the
// page's script in it. page.ts draws it in the browser.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { LoadResult } from '../run/result.ts';
import type { Compared } from './compare.ts';
import { STYLE } from './style.ts';

/** The value that the page reads from the element `data`. */
export interface ReportData {
  readonly result: LoadResult;
  /** Undefined if there is nothing to compare with. */
  readonly compared: { readonly with: readonly string[]; readonly rows: readonly Compared[] } | undefined;
}

export function reportHtml(data: ReportData): string {
  const uplot = createRequire(import.meta.url);
  const library = readFileSync(uplot.resolve('uplot/dist/uPlot.iife.min.js'), 'utf8');
  const libraryStyle = readFileSync(uplot.resolve('uplot/dist/uPlot.min.css'), 'utf8');
  const page = readFileSync(new URL('./page.js', import.meta.url), 'utf8');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${text(data.result.scenario)}: ${data.result.verdict} – Troupe load test</title>
<style>${libraryStyle}\n${STYLE}</style>
</head>
<body>
<main id="report"></main>
<noscript>The charts need JavaScript.</noscript>
<script type="application/json" id="data">${inScript(JSON.stringify(data))}</script>
<script>${script(library)}</script>
<script type="module">${script(page)}</script>
</body>
</html>
`;
}

const text = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** No text in the result can end the element that holds it. */
const inScript = (json: string): string => json.replaceAll('<', '\\u003c');

/** The source map stays behind with the sources. */
function script(source: string): string {
  if (/<\/script/i.test(source)) throw new Error('a script of the report would end itself');
  return source.replace(/^\/\/# sourceMappingURL=.*$/m, '');
}
