// The stores of other servers in the directions that moving.test.ts leaves out.
import { goesBothWays, makesStore } from './server-cases.ts';
import { files, hocuspocusOnPostgres, hocuspocusOnSqlite, leveldb } from './stores.ts';

goesBothWays(hocuspocusOnSqlite);
goesBothWays(files);
makesStore(hocuspocusOnPostgres);
makesStore(leveldb);
