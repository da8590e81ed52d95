// Where a snapshot stands in its document's log, by bytes: from it follows which snapshots are superfluous.

export const name = '0006-thinning';

export const up = `
ALTER TABLE snapshot ADD COLUMN logged bigint;
COMMENT ON COLUMN snapshot.logged IS 'Bytes of all patches of the document up to this version; null: written before this was counted';
`;
