// The presence of a client as it crosses links and is kept by owners: the JSON text of its state. Before the state of a
// client that speaks a protocol of Yjs stands a mark, with the number and the clock by which such clients know it. Clients
// of the contract get the state alone. No JSON text begins as a mark does, so no client can make one.

export interface PresenceMark {
  /** The number that Yjs gives to a Y.Doc: its clientID. */
  readonly yjsClient: number;
  /** Rises with each state of this number. */
  readonly clock: number;
}

const MARK = '@';

export const markedText = ({ yjsClient, clock }: PresenceMark, state: string): string =>
  `${MARK}${yjsClient}.${clock} ${state}`;

/** The JSON text of the state. */
export const stateText = (text: string): string =>
  text.startsWith(MARK) ? text.slice(text.indexOf(' ') + 1) : text;

/** Undefined if the text has no mark. */
export function markOf(text: string): PresenceMark | undefined {
  if (!text.startsWith(MARK)) return undefined;
  const dot = text.indexOf('.');
  return {
    yjsClient: Number(text.slice(MARK.length, dot)),
    clock: Number(text.slice(dot + 1, text.indexOf(' '))),
  };
}
