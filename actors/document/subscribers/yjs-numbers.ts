// The numbers under which Yjs clients show their presence in one document, each with the client that has it. A client of the
// same user takes a number over at once: a page connects anew before its lost socket is noticed. A client of another user does
// not get it as long as the client that has it has the document open. It keeps no states.

export class YjsNumbers {
  /** By number. */
  readonly #holders = new Map<number, { readonly client: string; readonly user: string }>();
  /** The number of each client that has one. */
  readonly #numbers = new Map<string, number>();

  /** Gives the number to the client. False if a client of another user has it. */
  take(yjsClient: number, client: string, user: string): boolean {
    const holder = this.#holders.get(yjsClient);
    if (holder?.client === client) return true;
    if (holder !== undefined && holder.user !== user) return false;
    if (holder !== undefined) this.#numbers.delete(holder.client);
    this.leave(client);
    this.#holders.set(yjsClient, { client, user });
    this.#numbers.set(client, yjsClient);
    return true;
  }

  /** The client does not have the document open any more. */
  leave(client: string): void {
    const yjsClient = this.#numbers.get(client);
    if (yjsClient === undefined) return;
    this.#numbers.delete(client);
    this.#holders.delete(yjsClient);
  }

  clear(): void {
    this.#holders.clear();
    this.#numbers.clear();
  }
}
