// Events: which documents have changed and are to be told, the log of what was told, and the messages to webhooks.

export const name = '0012-events';

export const up = `
ALTER TABLE session ADD COLUMN marks bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN session.marks IS 'Rises whenever marks of this session in change are taken away. A batch that relies on marks states the number it knows';

CREATE TABLE change (
  doc bigint PRIMARY KEY,
  session bigint NOT NULL,
  due timestamptz,
  told bigint NOT NULL DEFAULT 0,
  created boolean NOT NULL DEFAULT false,
  deleted boolean NOT NULL DEFAULT false,
  org text COLLATE "C",
  name text COLLATE "C"
) WITH (fillfactor = 80);
CREATE INDEX change_due ON change (due) WHERE due IS NOT NULL;
COMMENT ON TABLE change IS 'One row for each document that has changed. While due is set the document is marked: its head is told at that time, and its batches need not mark it again';
COMMENT ON COLUMN change.session IS 'The session whose batches rely on the mark';
COMMENT ON COLUMN change.name IS 'With org: of a deleted document, which may be erased before it is told';
COMMENT ON COLUMN change.told IS 'The version that the last event has told';

CREATE TABLE event (
  id bigint PRIMARY KEY,
  doc bigint NOT NULL,
  org text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  type smallint NOT NULL,
  since bigint NOT NULL,
  version bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX event_org ON event (org, id);
CREATE INDEX event_doc ON event (doc);
COMMENT ON TABLE event IS 'What was told, in the order of id, which is also the order in which the rows became visible. type: 1 created, 2 changed (since, version], 3 deleted';

CREATE TABLE event_head (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  id bigint NOT NULL DEFAULT 0,
  pruned bigint NOT NULL DEFAULT 0
);
INSERT INTO event_head DEFAULT VALUES;
COMMENT ON COLUMN event_head.id IS 'The newest event. Its row is locked while events are written, by one node at a time';
COMMENT ON COLUMN event_head.pruned IS 'Events up to this one may be gone';

-- Tells what is due of one session: the one that has waited longest, without those in skipped. It is called alone, in a
-- statement of its own, so that nobody waits for its client. chosen: 0 nothing is due, -1 another node is at it, else the
-- session. taken: -1 the session stays locked. Each statement of the function sees what was committed before it: the
-- heads are read after the batches that rely on the marks have ended, and later batches find marks changed.
CREATE FUNCTION troupe_tell(skipped bigint[], most int, OUT chosen bigint, OUT taken bigint, OUT events bigint)
LANGUAGE plpgsql VOLATILE SET lock_timeout = '250ms' AS $$
DECLARE
  head bigint;
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
  WITH due AS MATERIALIZED (
    SELECT c.doc, c.told, c.created, c.deleted, c.org AS was_org, c.name AS was_name FROM change c
    WHERE c.session = chosen AND c.due <= clock_timestamp() ORDER BY c.due LIMIT most FOR UPDATE SKIP LOCKED),
  facts AS MATERIALIZED (
    SELECT due.*, d.id IS NULL AS is_gone, coalesce(d.org, due.was_org) AS org, coalesce(d.name, due.was_name) AS name,
      coalesce((SELECT p.last FROM delta p WHERE p.doc = due.doc ORDER BY p.first DESC LIMIT 1), 0) AS version
    FROM due LEFT JOIN document d ON d.id = due.doc),
  told AS (
    INSERT INTO event (id, doc, org, name, type, since, version)
    SELECT head + row_number() OVER (ORDER BY f.doc, k.type), f.doc, f.org, f.name, k.type, f.told,
      CASE k.type WHEN 1 THEN f.told ELSE greatest(f.told, f.version) END
    FROM facts f CROSS JOIN unnest(ARRAY[1, 2, 3]::smallint[]) k(type)
    WHERE f.org IS NOT NULL
      AND CASE k.type WHEN 1 THEN f.created WHEN 2 THEN f.version > f.told ELSE f.deleted END
    RETURNING 1),
  done AS (
    UPDATE change c SET due = NULL, told = greatest(c.told, f.version), created = false, deleted = false
    FROM facts f WHERE c.doc = f.doc AND NOT f.is_gone RETURNING 1),
  gone AS (DELETE FROM change c USING facts f WHERE c.doc = f.doc AND f.is_gone RETURNING 1)
  SELECT (SELECT count(*) FROM done) + (SELECT count(*) FROM gone), (SELECT count(*) FROM told) INTO taken, events;
  UPDATE event_head SET id = head + events WHERE events > 0;
END $$;

CREATE TABLE webhook (
  endpoint text COLLATE "C" PRIMARY KEY,
  position bigint NOT NULL
);
COMMENT ON COLUMN webhook.position IS 'Events up to this one are in webhook_message, or were sent';

CREATE TABLE webhook_message (
  endpoint text COLLATE "C" NOT NULL,
  doc bigint NOT NULL,
  type smallint NOT NULL,
  event bigint NOT NULL,
  org text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  since bigint NOT NULL,
  version bigint NOT NULL,
  at timestamptz NOT NULL,
  queued_at timestamptz NOT NULL DEFAULT now(),
  next_at timestamptz NOT NULL DEFAULT now(),
  attempts int NOT NULL DEFAULT 0,
  problem text,
  parked_at timestamptz,
  PRIMARY KEY (endpoint, doc, type)
);
CREATE INDEX webhook_message_next ON webhook_message (endpoint, next_at) WHERE parked_at IS NULL;
COMMENT ON TABLE webhook_message IS 'Messages that no receiver has confirmed, at most one for each endpoint, document and type: a newer change takes the place of an older one';
COMMENT ON COLUMN webhook_message.next_at IS 'When it may be sent. While it is being sent: when another node may send it';
`;
