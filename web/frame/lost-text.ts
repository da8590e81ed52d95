// The text that a person typed in an edit that was not stored, so that it can be copied. Pure.

/** All strings that the patch would have put into the document, in their order. Empty if there is none. */
export function lostTextOf(patch: unknown): string {
  const lost: string[] = [];
  const parts = typeof patch === 'object' && patch !== null && 'ops' in patch ? patch.ops : patch;
  if (Array.isArray(parts)) for (const part of parts) collect(part, lost);
  return lost.join('');
}

/** `part` is an operation of a Delta, or a step of a JSON Patch. */
function collect(part: unknown, lost: string[]): void {
  if (typeof part !== 'object' || part === null) return;
  if ('insert' in part && typeof part.insert === 'string') lost.push(part.insert);
  else if ('value' in part) strings(part.value, lost);
}

function strings(value: unknown, lost: string[]): void {
  if (typeof value === 'string') lost.push(value, '\n');
  else if (typeof value === 'object' && value !== null)
    for (const each of Object.values(value)) strings(each, lost);
}
