// Checks the URL of a Redis. Pure. No message contains a part of the URL.
import { parseServiceUrl } from './service-url.ts';

/** Completes the sentence "found a URL …". Undefined if nothing is wrong. */
export function problemOfRedisUrl(url: string): string | undefined {
  const parsed = parseServiceUrl(url, /^rediss?$/i);
  if ('problem' in parsed) return parsed.problem;
  const { hosts, path } = parsed;
  const [first, ...more] = hosts;
  if (first === undefined) return 'without a host';
  if (more.length > 0)
    return 'with several hosts (there are cluster.redis.sentinels and cluster.redis.nodes)';
  if (first.host.startsWith('/')) return 'with a path in the place of its host';
  if (!/^\d{0,9}$/.test(path)) return 'whose path is not the number of a database';
  return undefined;
}
