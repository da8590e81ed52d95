// A real Caddy for tests. It keeps its files in a directory of the test, and has no address for administration.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from './install.ts';
import { startProxy } from './proxy.ts';
import { CADDY } from './requirements.ts';

export async function startCaddy(
  t: { after(close: () => Promise<void>): void },
  { directory, configuration, port }: { directory: string; configuration: string; port: number },
): Promise<void> {
  const program = await findProgram(CADDY);
  const file = join(directory, 'Caddyfile');
  await writeFile(file, `{\n\tadmin off\n\tauto_https disable_redirects\n}\n\n${configuration}`);
  const home = { HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory };
  await startProxy(t, [program, 'run', '--config', file, '--adapter', 'caddyfile'], port, home);
}
