// Logins of browsers, and changes of rights that every node has to learn.

export const name = '0009-logins';

export const up = `
CREATE TABLE login (
  id bytea PRIMARY KEY,
  secret bytea NOT NULL,
  former bytea,
  salt bytea,
  rotated timestamptz,
  sub text COLLATE "C" NOT NULL,
  claims text NOT NULL,
  began timestamptz NOT NULL DEFAULT clock_timestamp(),
  fresh_until timestamptz NOT NULL,
  idle_until timestamptz NOT NULL
);
CREATE INDEX login_sub ON login (sub, began);
CREATE INDEX login_idle ON login (idle_until);
COMMENT ON TABLE login IS 'One login of a browser. Its cookie is in no column: id, secret and former are hashes of its parts';
COMMENT ON COLUMN login.former IS 'Hash of the secret before the last refresh';
COMMENT ON COLUMN login.salt IS 'Makes the present secret out of the former one';
COMMENT ON COLUMN login.claims IS 'Claims of the token that began the login, as JSON';
COMMENT ON COLUMN login.fresh_until IS 'The cookie opens nothing after this until it is refreshed';
COMMENT ON COLUMN login.idle_until IS 'The cookie cannot be refreshed after this';

CREATE TABLE rights_change (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  kind text NOT NULL CHECK (kind IN ('user', 'token', 'login', 'recheck')),
  subject text COLLATE "C",
  before timestamptz,
  org text COLLATE "C",
  doc text COLLATE "C",
  keep_until timestamptz NOT NULL
);
CREATE INDEX rights_change_at ON rights_change (at, id);
CREATE INDEX rights_change_keep ON rights_change (keep_until);
COMMENT ON TABLE rights_change IS 'Revocations of users and tokens, ended logins, and documents whose rights are to be asked again';
COMMENT ON COLUMN rights_change.subject IS 'sub, jti, or the id of a login in hexadecimal digits';
COMMENT ON COLUMN rights_change.keep_until IS 'No token can be concerned after this';
`;
