// The user of each client whose seqs are remembered. A client id belongs to its user as long as they are.

export const name = '0008-client-users';

export const up = `
ALTER TABLE client_seq ADD COLUMN usr text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN client_seq.usr IS 'User of the latest patch up to the newest snapshot; empty in rows that are older than this column';
`;
