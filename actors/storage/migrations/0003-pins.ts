// Pins that operators set, beside those of the configuration, and the index by which the shards of a pinned
// organisation are found: one lookup for each shard, for any number of documents.

export const name = '0003-pins';

export const up = `
CREATE TABLE pin (
  match text COLLATE "C" PRIMARY KEY,
  node text NOT NULL,
  slot int,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE pin IS 'Where operators want a document (org/doc), an organisation (org) or a shard (shard:N); slot null: any worker of the node';

CREATE INDEX document_org_shard ON document (org, shard) WHERE deleted_at IS NULL;
`;
