// The schema a cluster starts with: who may write (session, shard), what there is (document) and the
// log with what is derived from it (delta, snapshot, client_seq).
import { PARTITIONS, SHARDS } from './shape.ts';

const partitions = (table: string): string =>
  Array.from(
    { length: PARTITIONS },
    (_, i) =>
      `CREATE TABLE ${table}_${i} PARTITION OF ${table} FOR VALUES WITH (MODULUS ${PARTITIONS}, REMAINDER ${i});`,
  ).join('\n');

/** lz4 where the server was built with it; its default (pglz) otherwise. Partitions made later inherit it. */
const lz4 = (table: string, column: string): string => `
DO $$ BEGIN
  ALTER TABLE ${table} ALTER COLUMN ${column} SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN NULL;
END $$;`;

export const name = '0001-initial';

export const up = `
CREATE TABLE session (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  nonce uuid NOT NULL DEFAULT gen_random_uuid(),
  run uuid NOT NULL,
  node text NOT NULL,
  slot int NOT NULL,
  state text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'draining', 'fenced')),
  fenced_by bigint,
  fenced_at timestamptz,
  opened_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX session_run ON session (run);
CREATE INDEX session_open ON session (id) WHERE state <> 'fenced';
COMMENT ON TABLE session IS 'One incarnation of one worker thread (slot -1: a node''s control plane). live -> draining -> fenced, never back';

CREATE TABLE shard (
  id int PRIMARY KEY,
  owner bigint REFERENCES session,
  epoch bigint NOT NULL DEFAULT 0
);
CREATE INDEX shard_owner ON shard (owner);
INSERT INTO shard (id) SELECT generate_series(0, ${SHARDS - 1});

CREATE TABLE document (
  id bigint PRIMARY KEY CHECK (id > 0 AND id < 9007199254740992),
  org text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  shard int NOT NULL,
  kind smallint NOT NULL,
  folded bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX document_name ON document (org, name) WHERE deleted_at IS NULL;
COMMENT ON COLUMN document.folded IS 'Deltas at or below this version may be gone; it is the version of a snapshot';

CREATE TABLE delta (
  doc bigint NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  epoch bigint NOT NULL,
  session bigint NOT NULL,
  batch bigint NOT NULL,
  seq bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  client text COLLATE "C" NOT NULL,
  usr text COLLATE "C" NOT NULL,
  op bytea NOT NULL,
  PRIMARY KEY (doc, version)
) PARTITION BY HASH (doc);
${lz4('delta', 'op')}
${partitions('delta')}

CREATE TABLE snapshot (
  doc bigint NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  at timestamptz NOT NULL DEFAULT now(),
  state bytea NOT NULL,
  PRIMARY KEY (doc, version)
) PARTITION BY HASH (doc);
${lz4('snapshot', 'state')}
${partitions('snapshot')}

CREATE TABLE client_seq (
  doc bigint NOT NULL,
  client text COLLATE "C" NOT NULL,
  last_seq bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  seqs bigint[] NOT NULL,
  versions bigint[] NOT NULL,
  PRIMARY KEY (doc, client)
) PARTITION BY HASH (doc);
${partitions('client_seq')}
COMMENT ON TABLE client_seq IS 'Latest (seq, version) pairs of a client up to the newest snapshot, newest first; derived from delta by the statement that writes the snapshot';

-- Called alone, in a statement of its own. Locks in id order, so that of two nodes that fence each
-- other one waits, and then finds itself fenced: -1. 55P03: a row stays locked; see fence.ts.
CREATE FUNCTION troupe_fence(me bigint, me_nonce uuid, victim_run uuid, victim bigint) RETURNS integer
LANGUAGE plpgsql VOLATILE SET lock_timeout = '250ms' AS $$
DECLARE
  fenced integer;
BEGIN
  PERFORM 1 FROM session
    WHERE id = me OR ((run = victim_run OR id = victim) AND state <> 'fenced') ORDER BY id FOR UPDATE;
  IF NOT EXISTS (SELECT 1 FROM session WHERE id = me AND nonce = me_nonce AND state = 'live') THEN
    RETURN -1;
  END IF;
  UPDATE session SET state = 'fenced', fenced_by = me, fenced_at = clock_timestamp()
    WHERE (run = victim_run OR id = victim) AND state <> 'fenced';
  GET DIAGNOSTICS fenced = ROW_COUNT;
  RETURN fenced;
END $$;
`;
