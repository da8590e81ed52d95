// Documents that are created, deleted and brought back by requests: who created a document, and marks by which a
// request that comes twice is known.

export const name = '0011-existence';

export const up = `
ALTER TABLE document
  ADD COLUMN created_by text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN creation text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN mark text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN erasing boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN document.created_by IS 'The user; empty: not known, or created before this column';
COMMENT ON COLUMN document.creation IS 'The mark of the request that created it; empty: a socket did';
COMMENT ON COLUMN document.mark IS 'The mark of the request that deleted it or brought it back last';
COMMENT ON COLUMN document.erasing IS 'It is deleted for good: its rows are being removed, this one last';

CREATE INDEX document_deleted ON document (org, name, deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX document_trash ON document (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX document_erasing ON document (id) WHERE erasing;
`;
