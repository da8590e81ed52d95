// The error of an address that cannot be listened on, with the section of the configuration that sets it.

export class ListenError extends Error {
  override name = 'ListenError';
  /** The section with the keys of the address. */
  readonly section: 'listen' | 'cluster.link' | 'metrics';

  /** `cause`: the error of the attempt to listen. */
  constructor(section: ListenError['section'], cause: unknown) {
    super(`cannot listen on ${section}: ${String(cause)}`, { cause });
    this.section = section;
  }
}
