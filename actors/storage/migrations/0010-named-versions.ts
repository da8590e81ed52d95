// Names that people give to versions, and the known authors of documents.

export const name = '0010-named-versions';

export const up = `
CREATE TABLE named_version (
  doc bigint NOT NULL REFERENCES document ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  usr text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  state bytea NOT NULL,
  PRIMARY KEY (doc, name)
);
COMMENT ON TABLE named_version IS 'A version with a name, and its content in the form of a snapshot: retention never reaches it';
CREATE INDEX named_version_place ON named_version (doc, version);

CREATE TABLE known_authors (
  doc bigint PRIMARY KEY REFERENCES document ON DELETE CASCADE,
  version bigint NOT NULL,
  history text COLLATE "C" NOT NULL,
  state bytea NOT NULL
);
COMMENT ON TABLE known_authors IS 'Who wrote what is there at this version of the document, so that later answers fold the log from here; derived from the log';
DO $$ BEGIN
  ALTER TABLE named_version ALTER COLUMN state SET COMPRESSION lz4;
  ALTER TABLE known_authors ALTER COLUMN state SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN NULL;
END $$;
`;
