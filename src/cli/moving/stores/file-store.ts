// Documents as files: a folder with a file `NAME.bin` for each, in folders where the name has slashes, or one
// such file. A file is a Yjs update, as `Y.encodeStateAsUpdate` or `Y.encodeStateAsUpdateV2` makes it.
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { StartError } from '../../../../config/fatal.ts';
import { decode, type Encoding, encode } from './encoding.ts';
import { NameError, type StoredDocument, type YjsStore } from './yjs-store.ts';

const ENDING = '.bin';

export async function openFiles(place: string, encoding: Encoding, mayCreate: boolean): Promise<YjsStore> {
  const found = await stat(place).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new StartError(error.message, { cause: error });
  });
  if (found === undefined && !mayCreate) throw new StartError(`${place} is not there`);
  if (found?.isFile() === true && mayCreate)
    throw new StartError(`${place} is a file: name the folder for the files`);
  if (found?.isFile() === true) return oneFile(place, encoding);
  return folder(place, encoding);
}

function oneFile(file: string, encoding: Encoding): YjsStore {
  const name = basename(file, ENDING);
  return {
    ...folder(dirname(file), encoding),
    documents: async function* (after) {
      if (after === undefined || name > after)
        yield { name, load: async () => decode([await readFile(file)], encoding) };
    },
  };
}

function folder(root: string, encoding: Encoding): YjsStore {
  const fileOf = (name: string): string => {
    const parts = name.split('/');
    if (parts.some((part) => !/^[^\\\0]{1,250}$/.test(part) || part === '.' || part === '..'))
      throw new NameError('it is no name for a file');
    return `${join(root, ...parts)}${ENDING}`;
  };
  return {
    async *documents(after): AsyncGenerator<StoredDocument> {
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      const names = entries
        .filter((entry) => entry.isFile() && entry.name.endsWith(ENDING))
        .map((entry) => relative(root, join(entry.parentPath, entry.name)))
        .map((path) => path.slice(0, -ENDING.length).replaceAll(sep, '/'))
        .filter((name) => after === undefined || name > after)
        .sort();
      for (const name of names)
        yield { name, load: async () => decode([await readFile(fileOf(name))], encoding) };
    },
    async read(name) {
      const bytes = await readFile(fileOf(name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      return bytes === undefined ? undefined : decode([bytes], encoding);
    },
    /** The file gets its name once it is complete. */
    async write(name, { whole }) {
      const file = fileOf(name);
      await mkdir(dirname(file), { recursive: true });
      const draft = join(dirname(file), `.${randomUUID()}.part`);
      try {
        const handle = await open(draft, 'wx');
        try {
          await handle.writeFile(encode(whole, encoding));
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(draft, file);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    },
    close: async () => undefined,
  };
}
