// Guarantees taken out one at a time, to prove that the simulation detects their absence. Each is a method
// that is replaced during one run.
import { Committer } from '../../../actors/commit/committer.ts';
import { Document } from '../../../actors/document/document.ts';
import { ClientMemory } from '../../../actors/document/submits/client-memory.ts';
import { Audience } from '../../../actors/document/subscribers/audience.ts';
import { EMPTY_UPDATE, Known } from '../../../kinds/yjs/known.ts';
import { Hellos } from '../../../src/gateway/users/hellos.ts';
import { YjsConversation } from '../../../src/yjs/conversation.ts';
import { SharedFrames } from '../../../src/yjs/shared-frames.ts';
import { UPDATE_TYPES } from '../../../src/yjs/wire/body.ts';
import type { MemoryTables } from '../../doubles/store-memory/database.ts';
import { takeOutGate } from '../../support/without-gate.ts';

export const MUTATIONS = {
  /** Frames leave before their patches are durable. */
  gate: takeOutGate,
  /** The database takes batches of fenced sessions. */
  fence: (tables) => {
    const insert = tables.insertBatch;
    const { sessions } = tables;
    tables.insertBatch = (me, batch, rows, heads) => {
      const isOpen = sessions.isOpen;
      sessions.isOpen = () => true;
      try {
        return insert(me, batch, rows, heads);
      } finally {
        sessions.isOpen = isOpen;
      }
    };
    return () => {
      tables.insertBatch = insert;
    };
  },
  /** A repeated seq is taken for a new one. */
  duplicates: () => {
    const { prototype } = ClientMemory;
    const answer = prototype.answer;
    prototype.answer = () => ({ type: 'new' });
    return () => {
      prototype.answer = answer;
    };
  },
  /** A document's first batch over a new connection does not prove its predecessor. */
  predecessor: (tables) => {
    const insert = tables.insertBatch;
    tables.insertBatch = (me, batch, rows) => insert(me, batch, rows, new Map());
    return () => {
      tables.insertBatch = insert;
    };
  },
  /** Shards are handed over while their patches are on the way. */
  settling: () => {
    const { prototype } = Committer;
    const settle = prototype.settle;
    prototype.settle = () => Promise.resolve();
    return () => {
      prototype.settle = settle;
    };
  },
  /** A client id belongs to nobody. */
  ids: () => {
    const { mayUse } = Document.prototype;
    const { isHeldByAnother } = Audience.prototype;
    Document.prototype.mayUse = () => true;
    Audience.prototype.isHeldByAnother = () => false;
    return () => {
      Document.prototype.mayUse = mayUse;
      Audience.prototype.isHeldByAnother = isHeldByAnother;
    };
  },
  /** A revocation does not reach the sockets that are open. */
  revocation: () => {
    const { prototype } = Hellos;
    const rightsChanged = prototype.rightsChanged;
    prototype.rightsChanged = () => undefined;
    return () => {
      prototype.rightsChanged = rightsChanged;
    };
  },
  /** An update of a Yjs client comes back to it as if it were stored, and is dropped. */
  echo: () => {
    const { prototype } = YjsConversation;
    const receive = prototype.receive;
    prototype.receive = function (message) {
      if (message.type === 'update') this.write(new SharedFrames(UPDATE_TYPES, [message.update]));
      else receive.call(this, message);
    };
    return () => {
      prototype.receive = receive;
    };
  },
  /** The step 2 of a Yjs client is taken for one that brings nothing new. */
  step2: () => {
    const { prototype } = Known;
    const newIn = prototype.newIn;
    prototype.newIn = () => EMPTY_UPDATE;
    return () => {
      prototype.newIn = newIn;
    };
  },
} satisfies Record<string, (tables: MemoryTables) => () => void>;

export type Mutation = keyof typeof MUTATIONS;

export const isMutation = (name: string): name is Mutation => Object.hasOwn(MUTATIONS, name);

/** Takes the guarantee out. The returned function puts it back. */
export function mutate(name: Mutation, tables: MemoryTables): () => void {
  const apply: (tables: MemoryTables) => () => void = MUTATIONS[name];
  return apply(tables);
}
