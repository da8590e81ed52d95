// The tables that a cluster of nodes needs beside sessions and shards: the addresses at which peers are
// dialled, the history after a restore (cluster), and the time of the last fence (fencing).

export const name = '0002-cluster';

export const up = `
ALTER TABLE session ADD COLUMN address text;
COMMENT ON COLUMN session.address IS 'host:port that peers dial; null: the node is alone';

CREATE TABLE cluster (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  history uuid,
  timeline bigint NOT NULL DEFAULT 0
);
INSERT INTO cluster DEFAULT VALUES;
COMMENT ON COLUMN cluster.history IS 'Null until a restore: see troupe_renew_history. Who opens a session holds the row FOR SHARE';
COMMENT ON COLUMN cluster.timeline IS 'The highest of the server that a node has seen';

-- A table of its own: fencing locks it after sessions, renewing the history locks cluster before them.
CREATE TABLE fencing (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  last_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO fencing DEFAULT VALUES;
COMMENT ON COLUMN fencing.last_at IS 'When a session of another run was last fenced';

-- Called alone, in a statement of its own. Locks in id order, so that of two nodes that fence each
-- other one waits, and then finds itself fenced: -1. A draining session may fence its own run. With gap_ms
-- nothing is fenced while the last fence is younger: -2; a last fence in the future is a clock set back.
-- 55P03: a row stays locked; see fence.ts.
DROP FUNCTION troupe_fence(bigint, uuid, uuid, bigint);
CREATE FUNCTION troupe_fence(me bigint, me_nonce uuid, victim_run uuid, victim bigint, gap_ms integer DEFAULT 0)
RETURNS integer LANGUAGE plpgsql VOLATILE SET lock_timeout = '250ms' AS $$
DECLARE
  fenced integer;
  my_run uuid;
  my_state text;
  before timestamptz;
BEGIN
  PERFORM 1 FROM session
    WHERE id = me OR ((run = victim_run OR id = victim) AND state <> 'fenced') ORDER BY id FOR UPDATE;
  SELECT run, state INTO my_run, my_state FROM session WHERE id = me AND nonce = me_nonce AND state <> 'fenced';
  IF NOT FOUND THEN
    RETURN -1;
  END IF;
  IF my_state <> 'live'
    AND EXISTS (SELECT 1 FROM session WHERE (run = victim_run OR id = victim) AND run <> my_run) THEN
    RETURN -1;
  END IF;
  IF EXISTS (SELECT 1 FROM session
    WHERE (run = victim_run OR id = victim) AND state <> 'fenced' AND run <> my_run) THEN
    SELECT last_at INTO before FROM fencing FOR UPDATE;
    IF clock_timestamp() >= before AND clock_timestamp() < before + gap_ms * interval '1 millisecond' THEN
      RETURN -2;
    END IF;
    UPDATE fencing SET last_at = clock_timestamp();
  END IF;
  UPDATE session SET state = 'fenced', fenced_by = me, fenced_at = clock_timestamp()
    WHERE (run = victim_run OR id = victim) AND state <> 'fenced';
  GET DIAGNOSTICS fenced = ROW_COUNT;
  RETURN fenced;
END $$;

-- Numbers that the lost future may have given out are jumped over.
CREATE FUNCTION troupe_renew_history(server_timeline bigint) RETURNS uuid LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  fresh uuid := gen_random_uuid();
  ids text := pg_get_serial_sequence('session', 'id');
BEGIN
  PERFORM 1 FROM cluster FOR UPDATE;
  PERFORM 1 FROM session WHERE state <> 'fenced' ORDER BY id FOR UPDATE;
  UPDATE session SET state = 'fenced', fenced_at = clock_timestamp() WHERE state <> 'fenced';
  PERFORM 1 FROM shard ORDER BY id FOR UPDATE;
  UPDATE shard SET owner = NULL, epoch = epoch + 1000000;
  PERFORM setval(ids, nextval(ids) + 1000000);
  UPDATE cluster SET history = fresh, timeline = server_timeline;
  RETURN fresh;
END $$;
`;
