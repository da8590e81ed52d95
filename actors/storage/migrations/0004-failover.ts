// What a database that has failed over says of itself: a standby that had not received all that its primary had
// acknowledged is another history, and must not go on under the old one's name.

export const name = '0004-failover';

export const up = `
ALTER TABLE cluster ADD COLUMN synchronous boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN cluster.synchronous IS 'As a node saw it last: what the primary acknowledges a standby has';

-- Called over every connection that meets a higher timeline than it knew, before it is used: true where the
-- history was renewed for it. Nobody's row lands under the new timeline before that.
CREATE FUNCTION troupe_saw_timeline(seen bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  known bigint;
  kept_all boolean;
BEGIN
  IF EXISTS (SELECT 1 FROM cluster WHERE timeline >= seen) THEN
    RETURN false;
  END IF;
  SELECT timeline, synchronous INTO known, kept_all FROM cluster FOR UPDATE;
  IF known >= seen THEN
    RETURN false;
  END IF;
  IF known > 0 AND NOT kept_all THEN
    PERFORM troupe_renew_history(seen);
    RETURN true;
  END IF;
  UPDATE cluster SET timeline = seen;
  RETURN false;
END $$;
`;
