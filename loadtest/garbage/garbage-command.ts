// The options that the garbage commands share, the node of a run, and the report of its result.
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { wholeNumber } from '../../config/command-line/command-line.ts';
import { seed, TARGET, TARGET_TELLS, toolCommand } from '../command-line/command.ts';
import { withNode } from '../nodes/temporary-node.ts';
import { megabytes } from '../statistics.ts';
import { type GarbageOptions, type GarbageResult, ORG } from './garbage-scene.ts';
import { newSecret, tokensOfSecret, tokensOfToken } from './garbage-tokens.ts';

export const garbageCommand = (script: string) =>
  toolCommand(script)
    .option('--throwers <N>', 'clients that throw at once', wholeNumber(), 8)
    .option('--p99 <MS>', 'longest edit → commit of the others, at the 99th percentile', wholeNumber(), 1_000)
    .option('--seed <N>', 'seed of all random choices (default: another one each time)', seed)
    .option(TARGET, TARGET_TELLS);

export const TOKEN = '--token <JWT>' as const;
export const TOKEN_TELLS = `with --target: a token of an owner of all documents of ${ORG}/*, for a node that demands one`;

export function tokenText(text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new InvalidArgumentError('Expected a JSON Web Token.');
}

export interface GarbageChoices {
  readonly throwers: number;
  readonly p99: number;
  readonly seed?: number | undefined;
  readonly target?: string | undefined;
  readonly token?: string | undefined;
  /** Settings of the node that is started. */
  readonly set?: readonly string[];
  /** Whether that node demands tokens. */
  readonly isLogin: boolean;
  readonly signal: AbortSignal;
}

/** Plays the run against the named node or one of its own, writes the result, and returns the exit code. */
export async function runGarbage(
  choices: GarbageChoices,
  play: (options: GarbageOptions) => Promise<GarbageResult & { readonly told?: string }>,
): Promise<number> {
  const { throwers, p99, seed: chosen = Date.now() % 1_000_000, target, token, set = [], isLogin } = choices;
  const secret = newSecret();
  const login = isLogin ? ['auth.mode=jwt', `auth.jwt.secret=${secret}`] : [];
  const use = async (url: string, node: Parameters<Parameters<typeof withNode>[2]>[1]): Promise<number> => {
    const tokens = token === undefined ? undefined : tokensOfToken(token);
    const ofNode = node !== undefined && isLogin ? await tokensOfSecret(secret, ORG) : tokens;
    const result = await play({
      url,
      throwers,
      seed: chosen,
      signal: choices.signal,
      ...(ofNode === undefined ? {} : { tokens: ofNode }),
      ...(node === undefined ? {} : { memory: () => node.residentBytes() }),
    });
    const { thrown, answers, closes, bystanders, memory, told } = result;
    const faults = [...result.faults];
    if (bystanders.p99 > p99) faults.push(`p99 of the bystanders is above ${p99} ms`);
    for (const line of node?.log.split('\n') ?? [])
      if (/a worker has ended|"level":50/.test(line))
        faults.push(`the node has logged ${line.slice(0, 500)}`);
    process.stdout.write(
      `seed ${chosen}: ${thrown} thrown; answers ${JSON.stringify(answers)}; closes ${JSON.stringify(closes)}\n` +
        `bystanders: ${bystanders.count} edits, p50 ${bystanders.p50.toFixed(1)} ms, p99 ${bystanders.p99.toFixed(1)} ms\n` +
        (told === undefined ? '' : `${told}\n`),
    );
    if (memory !== undefined) {
      const { before, peak, after, quarters, usual } = memory;
      process.stdout.write(
        `memory of the node: ${megabytes(before)} before, ${megabytes(peak)} at most, ${megabytes(after)} after; ` +
          `most in each quarter of the run: ${quarters.map(megabytes).join(', ')}; ` +
          `usual in each: ${usual.map(megabytes).join(', ')}\n`,
      );
    }
    for (const fault of faults.slice(0, 50)) process.stdout.write(`  ${fault}\n`);
    const lives = node === undefined || node.running;
    const isGood = lives && faults.length === 0;
    process.stdout.write(
      isGood ? 'the others noticed nothing\n' : lives ? 'FAILED\n' : `THE NODE DIED\n${node.log}\n`,
    );
    return isGood ? 0 : 1;
  };
  return await withNode(target, [...login, ...set], use, token);
}
