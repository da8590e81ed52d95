// Clients whose seqs are no longer remembered. If some clients of a document have been forgotten, any
// unknown client may be one of them.

export const name = '0005-forgetting';

export const up = `
ALTER TABLE document ADD COLUMN forgotten boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN document.forgotten IS 'Rows of client_seq were removed: a client without one may have committed';
COMMENT ON COLUMN client_seq.at IS 'When a snapshot last brought something of this client: not before it committed that';
`;
