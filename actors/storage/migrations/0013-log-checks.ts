// The log has no CHECK constraints. PostgreSQL reads and compiles them anew in each statement for each partition that it
// writes to, at every commit. The store refuses such rows before it sends them (batch.ts).

export const name = '0013-log-checks';

export const up = `
ALTER TABLE delta DROP CONSTRAINT delta_check, DROP CONSTRAINT delta_first_check;
`;
