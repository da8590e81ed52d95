// A real nginx for tests, with the configuration of a test in its `http` block.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from './install.ts';
import { startProxy } from './proxy.ts';
import { NGINX } from './requirements.ts';

/** `directory` is for its files, and stays until the test has ended. */
export async function startNginx(
  t: { after(close: () => Promise<void>): void },
  { directory, configuration, port }: { directory: string; configuration: string; port: number },
): Promise<void> {
  const program = await findProgram(NGINX);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(directory, `nginx-${name}`)};`,
  );
  const file = join(directory, 'nginx.conf');
  const lines = [
    // The workers of a nginx that root has started must read the files of the test.
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'daemon off;',
    'worker_processes 1;',
    `pid ${join(directory, 'nginx.pid')};`,
    'error_log stderr;',
    'events { worker_connections 256; }',
    `http { access_log off; ${temporary.join(' ')}`,
    configuration,
    '}',
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  await startProxy(t, [program, '-p', directory, '-e', 'stderr', '-c', file], port);
}
