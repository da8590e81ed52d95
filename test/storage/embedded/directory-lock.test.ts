// The lock of a data directory: it keeps out a process beside one that runs, and not one that comes after a kill.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { lockDirectory } from '../../../actors/storage/embedded/directory-lock.ts';
import { untilSeen } from '../../support/until.ts';

test('a directory is locked against everyone while its process runs', async (t) => {
  const directory = await scratch(t);
  const release = await lockDirectory(directory);
  await assert.rejects(lockDirectory(directory), { code: 'in-use' });
  await release();
  await (await lockDirectory(directory))();
});

// Other systems do not show the start of a process.
const onLinux = process.platform === 'linux' ? test : (): undefined => undefined;

onLinux('a killed process whose parent has not noticed holds no directory', async (t) => {
  const directory = await scratch(t);
  // The shell becomes a program that waits for no child, so its child stays a zombie. The child ends after that, since the
  // shell itself would notice.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => parent.kill('SIGKILL'));
  const [said] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(said.toString());
  await untilSeen('another program in place of the shell', async () => {
    return (await readFile(`/proc/${parent.pid}/comm`, 'utf8')) === 'sleep\n';
  });
  process.kill(pid, 'SIGKILL');
  const zombie = await untilSeen('a zombie', async () => {
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1)?.split(' ');
    return fields?.[0] === 'Z' ? fields : undefined;
  });
  await writeFile(join(directory, 'troupe.lock'), `${pid} ${zombie[19]}\n`);
  await (await lockDirectory(directory))();
});

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-lock-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
