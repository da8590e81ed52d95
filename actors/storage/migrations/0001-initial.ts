// The schema with which a cluster starts: the right to write (session, shard), the documents (document),
// and the log with the tables derived from it (delta, snapshot, client_seq).
import { PARTITIONS, SHARDS } from './shape.ts';

const partitions = (table: string): string =>
  Array.from(
    { length: PARTITIONS },
    (_, i) =>
      `CREATE TABLE ${table}_${i} PARTITION OF ${table} FOR VALUES WITH (MODULUS ${PARTITIONS}, REMAINDER ${i});`,
  ).join('\n');

/**
 * Uses lz4 if the server was built with it, and the server's default (pglz) otherwise. Partitions made
 * later inherit the setting.
 */
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
  first bigint NOT NULL CHECK (first > 0),
  last bigint NOT NULL CHECK (last >= first),
  epoch bigint NOT NULL,
  session bigint NOT NULL,
  batch bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  ops bytea NOT NULL,
  PRIMARY KEY (doc, first)
) PARTITION BY HASH (doc);
${lz4('delta', 'ops')}
${partitions('delta')}
COMMENT ON TABLE delta IS 'The log. A row is a run: what one batch carries for one document, versions first to last, its patches packed in ops (see troupe_patches). patch has a row for each version';

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
COMMENT ON TABLE client_seq IS 'Latest (seq, version) pairs of a client up to the newest snapshot, newest first; derived from delta and written by the statement that writes the snapshot';

-- The log to look at, a patch a row. For people and tools: the server unpacks runs itself.
CREATE FUNCTION troupe_varint(bytes bytea, INOUT place int, OUT value bigint)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  b int := 128;
  bits int := 0;
BEGIN
  value := 0;
  WHILE b > 127 LOOP
    b := get_byte(bytes, place);
    value := value | ((b & 127)::bigint << bits);
    bits := bits + 7;
    place := place + 1;
  END LOOP;
END $$;

CREATE FUNCTION troupe_patches(last bigint, ops bytea)
RETURNS TABLE (version bigint, client text, seq bigint, usr text, op bytea)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  -- Not compressed any more: every look at a byte would decompress it anew.
  bytes bytea := ops || ''::bytea;
  place int := 1;
  count bigint;
  flags int;
  len bigint;
BEGIN
  IF get_byte(bytes, 0) <> 1 THEN
    RAISE EXCEPTION 'unknown form of a run: %', get_byte(bytes, 0);
  END IF;
  client := '';
  usr := '';
  SELECT v.place, v.value INTO place, count FROM troupe_varint(bytes, place) v;
  FOR i IN 1 .. count LOOP
    version := last - count + i;
    flags := get_byte(bytes, place);
    place := place + 1;
    IF flags & 1 = 0 THEN
      SELECT v.place, v.value INTO place, len FROM troupe_varint(bytes, place) v;
      client := convert_from(substring(bytes, place + 1, len::int), 'UTF8');
      place := place + len;
    END IF;
    SELECT v.place, v.value INTO place, seq FROM troupe_varint(bytes, place) v;
    IF flags & 2 = 0 THEN
      SELECT v.place, v.value INTO place, len FROM troupe_varint(bytes, place) v;
      usr := convert_from(substring(bytes, place + 1, len::int), 'UTF8');
      place := place + len;
    END IF;
    SELECT v.place, v.value INTO place, len FROM troupe_varint(bytes, place) v;
    op := substring(bytes, place + 1, len::int);
    place := place + len;
    RETURN NEXT;
  END LOOP;
END $$;

CREATE VIEW patch AS
  SELECT d.doc, p.version, d.epoch, d.session, d.batch, d.at, p.client, p.seq, p.usr, p.op
  FROM delta d CROSS JOIN LATERAL troupe_patches(d.last, d.ops) p;

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
