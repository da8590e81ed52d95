// Reads a small text over HTTP. A request follows no redirect, so an answer cannot lead the node to another host, and its
// time and its size are bounded.

export interface BoundedFetch extends Omit<RequestInit, 'redirect' | 'signal'> {
  readonly timeoutMs: number;
  readonly mostBytes: number;
}

/** Rejects if the answer has another status than 200, is too large, or comes too late. */
export async function fetchedText(url: string, options: BoundedFetch): Promise<string> {
  const { timeoutMs, mostBytes, ...request } = options;
  const response = await fetch(url, {
    ...request,
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the answer has status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    // Leaving the loop cancels the rest of the body.
    if (bytes > mostBytes) throw new Error(`the answer has more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
