// The commands in the documentation, divided into words as a shell divides them: those of its shell blocks,
// and those that stand in the text as code.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageDirectory } from '../../src/cli/version.ts';
import { blocksOf, textOf } from './blocks.ts';

/** The Markdown files that a reader copies from. */
export const DOCUMENTS: readonly string[] = [
  'README.md',
  ...readdirSync(join(packageDirectory(), 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file.replaceAll('\\', '/')}`)
    .sort(),
];

export interface DocumentedCommand {
  readonly file: string;
  /** The command as it is printed. */
  readonly text: string;
  readonly words: readonly string[];
}

const PROGRAM = /^(troupe|npm|npx|node|docker) /;

/** Every command of a file. A row of a table names options in brackets, and a text a family of commands with `…`. */
export function commandsOf(file: string): DocumentedCommand[] {
  const inBlocks = blocksOf(file)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.split('\n'))
    .flatMap((line) => line.replace(/\s+#.*$/, '').split(' && '));
  const prose = textOf(file).replace(/^```[\s\S]*?^```$/gm, '');
  const inText = [...prose.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => code.split(' && '));
  return [...inBlocks, ...inText.filter((text) => PROGRAM.test(text))]
    .map((text) => text.replace(/\s+/g, ' ').trim())
    .filter((text) => text !== '')
    .map((text) => ({ file, text, words: wordsOf(text) }));
}

/** Quoted parts are one word, without their quotes. */
function wordsOf(text: string): string[] {
  const words = text.match(/(?:'[^']*'|"[^"]*"|\$\([^)]*\)|[^\s'"])+/g) ?? [];
  return words.map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'));
}
