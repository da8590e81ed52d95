// A worker thread without the guarantee that TROUPE_TEST_WITHOUT names, to prove that chaos runs detect its
// absence.
import { ClientMemory } from '../../actors/document/submits/client-memory.ts';
import { WriteConnection } from '../../actors/storage/postgres/connection/write-connection.ts';
import run from '../../actors/worker.ts';
import { takeOutGate } from '../support/without-gate.ts';

const FENCE = " AND state <> 'fenced' FOR SHARE";

export const GUARANTEES = {
  /** Frames leave before their patches are durable. */
  gate: takeOutGate,
  /** Batches neither check whether their session is fenced, nor lock it. */
  fence: () => {
    const { open } = WriteConnection.prototype;
    WriteConnection.prototype.open = async function () {
      const sql = await open.call(this);
      const { unsafe } = sql;
      sql.unsafe = ((text: string, ...rest: []) => unsafe(text.replace(FENCE, ''), ...rest)) as typeof unsafe;
      return sql;
    };
  },
  /** A seq that comes again is taken for new. */
  duplicates: () => {
    ClientMemory.prototype.answer = () => ({ type: 'new' });
  },
};

const without = process.env.TROUPE_TEST_WITHOUT;
for (const [name, takeOut] of Object.entries(GUARANTEES)) if (name === without) takeOut();

export default run;
