// An address that cannot be listened on, with the section of the configuration that says it.

export class ListenError extends Error {
  override name = 'ListenError';
  /** Has the keys `host` and `port`. */
  readonly section: 'listen' | 'cluster.link';

  /** `cause`: what listening has failed with. */
  constructor(section: ListenError['section'], cause: unknown) {
    super(`cannot listen on ${section}: ${String(cause)}`, { cause });
    this.section = section;
  }
}
