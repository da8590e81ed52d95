// A zsh for tests, with its modules and functions also where it was unpacked and not installed.
import { dirname, join } from 'node:path';
import { findProgram } from './install.ts';
import { ZSH } from './requirements.ts';

/** The path of zsh, and a line that tells it where its modules and functions are. */
export async function findZsh(): Promise<{ readonly path: string; readonly setup: string }> {
  const path = await findProgram(ZSH);
  // The system's own zsh knows its places.
  if (/^(\/usr|\/opt)?(\/local|\/homebrew)?\/bin\//.test(path)) return { path, setup: '' };
  const root = dirname(path);
  const modules = `module_path=(${join(root, 'usr/lib/*/zsh/*')}(N/))`;
  const functions = join(root, 'usr/share/zsh/functions');
  return { path, setup: `${modules}; fpath=(${functions} ${functions}/**/*(N/))` };
}
