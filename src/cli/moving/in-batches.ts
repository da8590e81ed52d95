// Works on a few documents at the same time, so that neither side waits for the other, and no more than these are in
// memory.

const AT_ONCE = 4;

/**
 * Does `work` for each item, in their order, AT_ONCE of them at a time. If the work of one fails, the others of its
 * batch are awaited, `onBroken` is told the last name up to which everything was done, and the failure is thrown.
 */
export async function inBatches<Item extends { readonly name: string }>(
  items: AsyncIterable<Item>,
  work: (item: Item) => Promise<void>,
  onBroken: (lastDone: string) => unknown,
): Promise<void> {
  let lastDone: string | undefined;
  let batch: Item[] = [];
  const flush = async (): Promise<void> => {
    const results = await Promise.allSettled(batch.map(work));
    for (const [at, result] of results.entries()) {
      if (result.status === 'rejected') throw result.reason;
      lastDone = batch[at]?.name;
    }
    batch = [];
  };
  try {
    for await (const item of items) {
      batch.push(item);
      if (batch.length === AT_ONCE) await flush();
    }
    await flush();
  } catch (error) {
    if (lastDone !== undefined) onBroken(lastDone);
    throw error;
  }
}
