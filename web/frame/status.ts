// The state of the connection and of this window's edits, as words. Pure. "Saved" is shown only when the SDK
// reports it, which means that every edit is durable on the server.
import type { DocumentState } from '../../client/index.ts';

export type Tone = 'busy' | 'good' | 'away' | 'bad';
export interface Status {
  readonly tone: Tone;
  readonly label: string;
  /** One sentence more, for the tooltip. */
  readonly detail: string;
}

export interface StatusInput {
  readonly state: DocumentState;
  /** Edits made here are not yet durable. */
  readonly pending: boolean;
  /** Whether the client is trying to connect, rather than staying offline. */
  readonly connecting: boolean;
  /** The server asks for a token that the person has not given. */
  readonly signedOut?: boolean;
}

export function statusOf({ state, pending, connecting, signedOut = false }: StatusInput): Status {
  const kept = pending ? ' Your edits are kept in this window and sent when it is back.' : '';
  if (signedOut && state !== 'closed') {
    const label = pending ? 'Signed out, edits kept' : 'Signed out';
    const then = pending ? ' Your edits are kept in this window and sent after that.' : '';
    return { tone: 'away', label, detail: `Sign in to go on.${then}` };
  }
  switch (state) {
    case 'connecting':
      return { tone: 'busy', label: 'Connecting…', detail: 'On the way to the server.' };
    case 'offline':
      if (connecting) {
        const label = pending ? 'Reconnecting, edits kept' : 'Reconnecting…';
        return { tone: 'away', label, detail: `The connection was lost.${kept}` };
      }
      return {
        tone: 'away',
        label: pending ? 'Offline, edits kept' : 'Offline',
        detail: `This window is not connected.${kept}`,
      };
    case 'saving':
      return { tone: 'busy', label: 'Saving…', detail: 'Your edits are on their way to the server.' };
    case 'saved':
      return { tone: 'good', label: 'Saved', detail: 'Every edit you made is stored on the server.' };
    case 'live':
      return { tone: 'good', label: 'Up to date', detail: 'Connected. You have made no edits here yet.' };
    case 'closed':
      return { tone: 'bad', label: 'Closed', detail: 'This document is no longer open here.' };
    default:
      return unreachable(state);
  }
}

/**
 * The announcement for screen readers when the state changes: the connection is lost or found, never the
 * saving of each keystroke. Undefined if there is none.
 */
export function announcementOf(before: DocumentState | undefined, now: DocumentState): string | undefined {
  const away = (state: DocumentState | undefined): boolean => state === 'offline' || state === 'connecting';
  if (now === 'offline' && before !== 'offline') return 'Offline. Edits are kept in this window.';
  if (now === 'closed' && before !== 'closed') return 'This document is closed.';
  if (before !== undefined && away(before) && !away(now)) return 'Connected.';
  return undefined;
}

function unreachable(state: never): never {
  throw new Error(`no such state: ${String(state)}`);
}
