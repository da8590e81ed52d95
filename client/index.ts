// The SDK's public entry: exports everything that an application may import, and nothing else.

export type { Json, KindName, Role } from '../protocol/messages.ts';
export type {
  ChangeOrigin,
  ClientEvents,
  ClientOptions,
  ClientState,
  Cursor,
  DeltaLike,
  DocumentEvents,
  DocumentState,
  DocumentsByKind,
  JsonChange,
  JsonDocument,
  JsonStep,
  Presence,
  PresenceEvents,
  Range,
  Rejection,
  RichTextChange,
  RichTextDocument,
  SharedDocument,
  SharedTypes,
  TokenSource,
  YjsChange,
  YjsDocument,
} from './api.ts';
export { TroupeClient } from './client.ts';
export type { ConnectionFailure, FailureReason } from './connection/failure.ts';
export { TroupeError } from './errors.ts';
export type { Platform, Timer, WebSocketConstructor, WebSocketLike } from './platform.ts';
