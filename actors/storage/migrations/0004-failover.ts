// The timelines of a database that fails over. A standby that lacks some acknowledged commits of its
// primary has another history, and must not go on under the old history's name.

export const name = '0004-failover';

export const up = `
ALTER TABLE cluster ADD COLUMN synchronous boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN cluster.synchronous IS 'As a node saw it last: what the primary acknowledges a standby has';

-- Called over every connection before it is used: true where the history was renewed, because the server is on
-- another timeline than the one recorded. Nobody's row lands there before that. A lower timeline than the recorded
-- one is another life of the database: a dump, or an upgrade; a primary that missed a failover has none recorded.
-- As its owner, for whoever may only read and write the tables.
CREATE FUNCTION troupe_saw_timeline() RETURNS boolean LANGUAGE plpgsql VOLATILE
  SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  seen bigint := ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int;
  known bigint;
  kept_all boolean;
BEGIN
  IF EXISTS (SELECT 1 FROM cluster WHERE timeline = seen) THEN
    RETURN false;
  END IF;
  SELECT timeline, synchronous INTO known, kept_all FROM cluster FOR UPDATE;
  IF known = seen THEN
    RETURN false;
  END IF;
  IF seen < known OR (known > 0 AND NOT kept_all) THEN
    PERFORM troupe_renew_history(seen);
    RETURN true;
  END IF;
  UPDATE cluster SET timeline = seen;
  RETURN false;
END $$;
`;
