// The code blocks of the documentation, for the tests that run them as they stand.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { packageDirectory } from '../../src/cli/version.ts';

export interface CodeBlock {
  readonly language: string;
  readonly text: string;
}

const root = packageDirectory();

export const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');

/** The code blocks of a file of the repository, in their order. */
export function blocksOf(file: string): CodeBlock[] {
  return [...textOf(file).matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', block = '']) => ({
    language,
    text: block,
  }));
}

/** The one block of a file that contains a text. */
export function blockWith(file: string, part: string): string {
  const [block, ...others] = blocksOf(file).filter(({ text }) => text.includes(part));
  assert.ok(block !== undefined && others.length === 0, `${file} has one block with ${part}`);
  return block.text;
}

/** A block with the address of a test's node in the place of the default address of `npm start`. */
export function at(socketUrl: string, block: string): string {
  const text = block.replaceAll('ws://127.0.0.1:8080/v1/socket', socketUrl);
  assert.notEqual(text, block, 'the block names the address of a node');
  return text;
}

/** The output of a bundler for a module for the browser: its script and its styles. */
export async function bundle(source: string): Promise<{ script: string; styles: string }> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: root, loader: 'tsx' },
    outdir: 'out',
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    logLevel: 'warning',
  });
  const ending = (end: string): string => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? '';
  return { script: ending('.js'), styles: ending('.css') };
}
