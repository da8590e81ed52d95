// The place of each snapshot in its document's log, in bytes. It decides which snapshots are superfluous.

export const name = '0006-thinning';

export const up = `
ALTER TABLE snapshot ADD COLUMN logged bigint;
COMMENT ON COLUMN snapshot.logged IS 'Bytes of all patches of the document up to this version; null: written before this was counted';
`;
