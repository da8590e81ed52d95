// Events of one name in order through its deletions and creations, and by whom and when things happened. The columns
// may be empty, and the function is called as before, so nodes of the previous version go on beside those of this one.
//
// A name has a document of its own for each time that it was created. The order of these documents is that of their
// marks: a later one exists only after the earlier one was deleted, and its mark is due later. At most one of them lives,
// and it is the last.

export const name = '0014-event-order';

export const up = `
ALTER TABLE change
  ADD COLUMN deleted_at timestamptz,
  ADD COLUMN deleted_by text COLLATE "C",
  ADD COLUMN returned_at timestamptz,
  ADD COLUMN returned_by text COLLATE "C";
COMMENT ON COLUMN change.deleted IS 'Deleted since the last event. With created, of a document that lives: deleted and then brought back';
COMMENT ON COLUMN change.deleted_by IS 'With deleted_at: the user who deleted it, until that is told';
COMMENT ON COLUMN change.returned_by IS 'With returned_at: the user who brought it back, until that is told';
CREATE INDEX change_deleted ON change (org, name) WHERE deleted;

ALTER TABLE event
  ADD COLUMN happened_at timestamptz,
  ADD COLUMN by_user text COLLATE "C";
COMMENT ON COLUMN event.at IS 'When it was told';
COMMENT ON COLUMN event.happened_at IS 'When the document was created, brought back or deleted, or its newest patch committed. Empty: not known';
COMMENT ON COLUMN event.by_user IS 'The user who created it, brought it back or deleted it. Empty: not known, or a change, whose users the log has';

ALTER TABLE webhook_message
  ADD COLUMN by_user text COLLATE "C",
  ADD COLUMN leased_until timestamptz;
COMMENT ON COLUMN webhook_message.leased_until IS 'A node sends it until then at the latest. Empty: no node does';
CREATE INDEX webhook_message_name ON webhook_message (org, name);

-- As in 0012-events. The creation of a document waits until the deletions of earlier documents of its name are told, which
-- may be marks of another session. The settings are for its plan: with another estimate of the documents that are told at
-- once, or without statistics, PostgreSQL reads whole tables.
CREATE OR REPLACE FUNCTION troupe_tell(skipped bigint[], most int, OUT chosen bigint, OUT taken bigint, OUT events bigint)
LANGUAGE plpgsql VOLATILE SET lock_timeout = '250ms' SET plan_cache_mode = 'force_custom_plan' SET enable_seqscan = off
  SET enable_bitmapscan = off AS $$
DECLARE
  head bigint;
  waits boolean;
BEGIN
  taken := 0;
  events := 0;
  SELECT h.id INTO head FROM event_head h FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    chosen := -1;
    RETURN;
  END IF;
  SELECT c.session INTO chosen FROM change c
    WHERE c.due <= clock_timestamp() AND c.session <> ALL (skipped) ORDER BY c.due LIMIT 1;
  IF NOT FOUND THEN
    chosen := 0;
    RETURN;
  END IF;
  BEGIN
    UPDATE session SET marks = marks + 1 WHERE id = chosen;
  EXCEPTION WHEN lock_not_available THEN
    taken := -1;
    RETURN;
  END;
  -- A creation that is marked here was committed after the deletions before it, so these are seen.
  SELECT EXISTS (SELECT 1 FROM change x WHERE x.deleted AND x.session <> chosen) INTO waits;
  WITH due AS MATERIALIZED (
    SELECT c.doc, c.due, c.told, c.created, c.deleted, c.org AS was_org, c.name AS was_name,
      c.deleted_at AS gone_at, c.deleted_by, c.returned_at, c.returned_by
    FROM change c
    WHERE c.session = chosen AND c.due <= clock_timestamp() AND NOT (waits AND c.created AND EXISTS (
      SELECT 1 FROM document d JOIN change x ON x.org = d.org AND x.name = d.name
      WHERE d.id = c.doc AND x.deleted AND x.due < c.due AND x.session <> chosen))
    ORDER BY c.due LIMIT most FOR UPDATE OF c SKIP LOCKED),
  facts AS MATERIALIZED (
    SELECT due.*, d.id IS NULL AS is_gone, d.id IS NOT NULL AND d.deleted_at IS NULL AS lives,
      coalesce(d.org, due.was_org) AS org, coalesce(d.name, due.was_name) AS name, d.created_at,
      CASE WHEN NOT d.erasing THEN d.created_by END AS created_by,
      coalesce(p.last, 0) AS version, p.at AS changed_at
    FROM due LEFT JOIN LATERAL (SELECT * FROM document o WHERE o.id = due.doc LIMIT 1) d ON true
    LEFT JOIN LATERAL (SELECT l.last, l.at FROM delta l WHERE l.doc = due.doc ORDER BY l.first DESC LIMIT 1) p ON true),
  told AS (
    INSERT INTO event (id, doc, org, name, type, since, version, happened_at, by_user)
    SELECT head + row_number() OVER (
        ORDER BY f.lives, f.due, f.doc, CASE WHEN k.type = 3 AND f.lives THEN 0 ELSE k.type END),
      f.doc, f.org, f.name, k.type, f.told,
      CASE WHEN k.type = 1 OR (k.type = 3 AND f.lives) THEN f.told ELSE greatest(f.told, f.version) END,
      CASE k.type WHEN 1 THEN coalesce(f.returned_at, f.created_at) WHEN 2 THEN f.changed_at
        ELSE coalesce(f.gone_at, f.due) END,
      CASE k.type WHEN 1 THEN CASE WHEN f.returned_at IS NULL THEN nullif(f.created_by, '') ELSE f.returned_by END
        WHEN 3 THEN f.deleted_by END
    FROM facts f CROSS JOIN unnest(ARRAY[1, 2, 3]::smallint[]) k(type)
    WHERE f.org IS NOT NULL
      AND CASE k.type WHEN 1 THEN f.created WHEN 2 THEN f.version > f.told ELSE f.deleted END
    RETURNING 1),
  done AS (
    UPDATE change c SET due = NULL, told = greatest(c.told, f.version), created = false, deleted = false,
      deleted_at = NULL, deleted_by = NULL, returned_at = NULL, returned_by = NULL
    FROM facts f WHERE c.doc = f.doc AND NOT f.is_gone RETURNING 1),
  gone AS (DELETE FROM change c USING facts f WHERE c.doc = f.doc AND f.is_gone RETURNING 1)
  SELECT (SELECT count(*) FROM done) + (SELECT count(*) FROM gone), (SELECT count(*) FROM told) INTO taken, events;
  UPDATE event_head SET id = head + events WHERE events > 0;
END $$;
`;
