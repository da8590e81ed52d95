// `troupe serve` around a node: the ready line, signals, failures. The node is a stand-in, and the clock is
// virtual.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import pino from 'pino';
import { EmbeddedPostgresError } from '../../actors/storage/embedded-postgres.ts';
import { StoreUnavailable } from '../../actors/storage/store.ts';
import { StartError } from '../../config/fatal.ts';
import { configFrom } from '../../config/load.ts';
import { explain } from '../../src/cli/failure.ts';
import { type ServeDeps, type ServedNode, serve } from '../../src/cli/serve.ts';
import { ListenError } from '../../src/listen-error.ts';

const config = configFrom({ node: { name: 'n' } });

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((callback) => {
    resolve = callback;
  });
  return { promise, resolve };
}

/** A node and a process that the test controls. */
class Stage {
  readonly signals = new EventEmitter();
  readonly timers = new Map<() => void, number>();
  readonly exits: number[] = [];
  readonly fail = deferred<Error>();
  readonly started = deferred<ServedNode>();
  readonly stopped = deferred<void>();
  readonly stopCalled = deferred<void>();
  readonly out: string[] = [];
  readonly err: string[] = [];
  now = 0;
  stops = 0;

  readonly node: ServedNode = {
    url: 'http://127.0.0.1:8080/',
    failed: this.fail.promise,
    stop: () => {
      this.stops++;
      this.stopCalled.resolve();
      return this.stopped.promise;
    },
  };

  serve(startNode: ServeDeps['startNode'] = () => this.started.promise, settings = config) {
    return serve(settings, {
      stdout: { write: (text) => this.out.push(text) },
      stderr: { write: (text) => this.err.push(text) },
      startNode,
      log: pino({ level: 'silent' }),
      signals: this.signals,
      now: () => this.now,
      later: (ms, callback) => {
        this.timers.set(callback, ms);
        return () => this.timers.delete(callback);
      },
      exit: (code) => this.exits.push(code),
    });
  }
}

/** Resolves when every promise that can settle has settled. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('the ready line has the URL and the storage, without a password', async () => {
  const urls: [string, string][] = [
    ['embedded', 'Troupe is ready: http://127.0.0.1:8080/  (PostgreSQL embedded in ./data)\n'],
    [
      'postgres://u:secret@db:5432/troupe?sslmode=require',
      'Troupe is ready: http://127.0.0.1:8080/  (PostgreSQL at db:5432/troupe)\n',
    ],
  ];
  for (const [url, line] of urls) {
    const stage = new Stage();
    stage.stopped.resolve();
    stage.started.resolve(stage.node);
    const done = stage.serve(undefined, configFrom({ storage: { url } }));
    await settled();
    assert.equal(stage.out.join(''), line);
    stage.signals.emit('SIGTERM', 'SIGTERM');
    await done;
  }
});

test('each signal stops the node cleanly, with exit code 0 and no listener left', async () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const stage = new Stage();
    stage.started.resolve(stage.node);
    const done = stage.serve();
    await settled();
    stage.signals.emit(signal, signal);
    await stage.stopCalled.promise;
    stage.stopped.resolve();
    assert.equal(await done, 0);
    assert.equal(stage.stops, 1);
    assert.equal(stage.err.join(''), '');
    assert.deepEqual(stage.exits, []);
    assert.deepEqual(stage.signals.eventNames(), []);
  }
});

test('the signal that npm forwards within a second is the same wish; a later one exits at once', async () => {
  const stage = new Stage();
  stage.started.resolve(stage.node);
  const done = stage.serve();
  await settled();
  stage.signals.emit('SIGINT', 'SIGINT');
  stage.now = 900;
  stage.signals.emit('SIGINT', 'SIGINT');
  assert.deepEqual(stage.exits, []);
  stage.now = 1_100;
  stage.signals.emit('SIGINT', 'SIGINT');
  assert.deepEqual(stage.exits, [130]);
  assert.match(stage.err.join(''), /a second signal came \(SIGINT\)/);
  stage.stopped.resolve();
  await done;
  assert.equal(stage.stops, 1);
});

test('a signal while the node starts: its start is given up, with exit code 0', async () => {
  const stage = new Stage();
  const done = stage.serve(
    (_config, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  await settled();
  stage.signals.emit('SIGTERM', 'SIGTERM');
  assert.equal(await done, 0);
  assert.equal(stage.out.join('') + stage.err.join(''), '');
  assert.deepEqual(stage.signals.eventNames(), []);
  for (const timer of stage.timers.keys()) timer();
  assert.deepEqual(stage.exits, [0], 'no time-out is left but that of what keeps the process alive');
});

test('a start that does not end when it is given up is left after shutdown.timeoutMs', async () => {
  const stage = new Stage();
  void stage.serve();
  await settled();
  stage.signals.emit('SIGTERM', 'SIGTERM');
  assert.deepEqual([...stage.timers.values()], [config.shutdown.timeoutMs]);
  for (const timer of stage.timers.keys()) timer();
  assert.deepEqual(stage.exits, [1]);
});

test('a node that is there when its start is given up is stopped, and never called ready', async () => {
  const stage = new Stage();
  const done = stage.serve();
  await settled();
  stage.signals.emit('SIGTERM', 'SIGTERM');
  await settled();
  assert.equal(stage.stops, 0);
  stage.started.resolve(stage.node);
  await stage.stopCalled.promise;
  stage.stopped.resolve();
  assert.equal(await done, 0);
  assert.equal(stage.out.join(''), '');
});

test('a node that does not stop within shutdown.timeoutMs is left, with exit code 1', async () => {
  const stage = new Stage();
  stage.started.resolve(stage.node);
  const done = stage.serve();
  await settled();
  stage.signals.emit('SIGTERM', 'SIGTERM');
  await stage.stopCalled.promise;
  const [timer, ms] = [...stage.timers][0] ?? [];
  assert.equal(ms, config.shutdown.timeoutMs);
  timer?.();
  assert.deepEqual(stage.exits, [1]);
  assert.match(stage.err.join(''), /shutdown\.timeoutMs/);
  stage.stopped.resolve();
  await done;
});

test('a node of a cluster has the time to leave beside shutdown.timeoutMs', async () => {
  const member = configFrom({
    storage: { url: 'postgres://db/troupe' },
    cluster: { redis: 'redis://redis', secret: 'sixteen characters' },
  });
  const stage = new Stage();
  stage.started.resolve(stage.node);
  const done = stage.serve(undefined, member);
  await settled();
  stage.signals.emit('SIGTERM', 'SIGTERM');
  await stage.stopCalled.promise;
  const [timer, ms = 0] = [...stage.timers][0] ?? [];
  assert.equal(ms, 45_500);
  timer?.();
  assert.match(stage.err.join(''), /not stopped after 45500 ms \(drain\.timeoutMs and shutdown\.timeoutMs\)/);
  stage.stopped.resolve();
  await done;
});

test('a stopped node that something keeps alive is left with its own exit code', async () => {
  const stage = new Stage();
  stage.stopped.resolve();
  stage.started.resolve(stage.node);
  const done = stage.serve();
  await settled();
  stage.signals.emit('SIGTERM', 'SIGTERM');
  assert.equal(await done, 0);
  assert.equal(stage.timers.size, 1);
  for (const timer of stage.timers.keys()) timer();
  assert.deepEqual(stage.exits, [0]);
});

test('a node that fails is stopped, told in one line, and ends in exit code 1', async () => {
  const stage = new Stage();
  stage.stopped.resolve();
  stage.started.resolve(stage.node);
  const done = stage.serve();
  await settled();
  stage.fail.resolve(new Error('PostgreSQL at postgres://u:secret@h has ended'));
  assert.equal(await done, 1);
  assert.equal(stage.stops, 1);
  assert.equal(
    stage.err.join(''),
    'troupe: the node cannot go on: PostgreSQL at postgres://u:***@h has ended\n',
  );
});

test('a start that fails rejects with what it failed with, and leaves no listener', async () => {
  const stage = new Stage();
  const failure = new StartError('the directory ./data is in use by another node');
  await assert.rejects(
    stage.serve(() => Promise.reject(failure)),
    failure,
  );
  assert.deepEqual(stage.signals.eventNames(), []);
});

test('expected failures are explained in one line; a defect is not', () => {
  const system = (code: string, more: object) =>
    Object.assign(new Error(`${code}: no\nmore`), { code, ...more });
  const lines: [unknown, RegExp | undefined][] = [
    [
      system('EADDRINUSE', { address: '127.0.0.1', port: 8080 }),
      /^127\.0\.0\.1:8080 is in use by another program;.*listen\.port/,
    ],
    [system('EADDRINUSE', { address: '::1', port: 8080 }), /^\[::1\]:8080 is in use/],
    [
      system('EADDRNOTAVAIL', { address: '10.9.9.9', port: 80 }),
      /^10\.9\.9\.9:80 is no address of this machine/,
    ],
    [system('EACCES', { address: '127.0.0.1', port: 80 }), /^permission denied for 127\.0\.0\.1:80/],
    [system('EACCES', { path: '/data' }), /^permission denied for \/data/],
    [system('ENOTFOUND', { hostname: 'nowhere.example' }), /^the name nowhere\.example does not resolve/],
    [
      new ListenError('cluster.link', system('EADDRINUSE', { address: '127.0.0.1', port: 7101 })),
      /^127\.0\.0\.1:7101 is in use by another program;.*cluster\.link\.port/,
    ],
    [
      new ListenError('cluster.link', system('EADDRNOTAVAIL', { address: '10.9.9.9', port: 7101 })),
      /^10\.9\.9\.9:7101 is no address of this machine; see cluster\.link\.host/,
    ],
    [
      new ListenError('metrics', system('EADDRINUSE', { address: '127.0.0.1', port: 9464 })),
      /^127\.0\.0\.1:9464 is in use by another program;.*metrics\.listen=/,
    ],
    [new ListenError('cluster.link', new TypeError('x is not a function')), undefined],
    [system('EEXIST', { path: '/file' }), /^\/file is there, and is no directory$/],
    [system('ENOTDIR', { path: '/file/data' }), /^\/file\/data cannot be a directory/],
    [new StoreUnavailable('connection refused\nat x'), /^cannot reach PostgreSQL: connection refused$/],
    [new EmbeddedPostgresError('in-use', './data is in use'), /^\.\/data is in use$/],
    [new StartError('as it is'), /^as it is$/],
    [new TypeError('x is not a function'), undefined],
    [system('ERR_ASSERTION', {}), undefined],
    ['text', undefined],
  ];
  for (const [error, line] of lines) {
    const explained = explain(error);
    if (line === undefined) assert.equal(explained, undefined);
    else assert.match(explained?.message ?? '', line);
    if (explained !== undefined) assert.equal(explained.exitCode, 1);
  }
});
