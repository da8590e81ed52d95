// The progress of retention, kept in the database. Any node goes on from the point that another has
// reached, and one node at a time does.

export const name = '0007-sweep';

export const up = `
CREATE TABLE sweep (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  doc bigint NOT NULL DEFAULT 0,
  began timestamptz NOT NULL DEFAULT clock_timestamp(),
  due timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO sweep DEFAULT VALUES;
COMMENT ON TABLE sweep IS 'The pass over all documents. A slice of it holds the row: one node at a time';
COMMENT ON COLUMN sweep.doc IS 'Documents up to this id are done; 0: the next pass has not begun';
COMMENT ON COLUMN sweep.due IS 'When the next pass may begin';

ALTER TABLE document ADD COLUMN cleared bigint NOT NULL DEFAULT 0;
UPDATE document SET cleared = folded WHERE folded > 0;
COMMENT ON COLUMN document.folded IS 'The kept history begins above this version, at a snapshot; deltas at or below it may be gone';
COMMENT ON COLUMN document.cleared IS 'Deltas up to this version are gone, and clients of whom nothing else was left; folded, or still on the way there';

-- Snapshots whose place in the log was not counted when they were written.
CREATE INDEX snapshot_uncounted ON snapshot (doc) WHERE logged IS NULL;
`;
