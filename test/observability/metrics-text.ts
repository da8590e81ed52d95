// Reads Prometheus's text format.
import assert from 'node:assert/strict';

/** The value of each line, by the name with its labels as they stand. */
export function valuesIn(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const at = line.lastIndexOf(' ');
    values.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return values;
}

/** The values that a node tells at this URL. */
export async function metricsAt(url: string): Promise<Map<string, number>> {
  const answer = await fetch(url);
  assert.equal(answer.status, 200);
  return valuesIn(await answer.text());
}
