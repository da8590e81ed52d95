// A WebSocket that carries its session, so that one handler serves all sockets.
import { WebSocket } from 'ws';
import type { Session } from '../session.ts';

export class ClientSocket extends WebSocket {
  session: Session | undefined;
}
