// The address of the node for `troupe import` and `troupe export`: the one that is named, or that of the
// configuration's own node.
import { EXIT, StartError } from '../../../config/fatal.ts';
import type { Config } from '../../../config/schema.ts';

export function nodeUrl({ listen }: Config, named: string | undefined): URL {
  if (named !== undefined) return parse(named);
  const isAny = listen.host === '0.0.0.0' || listen.host === '::';
  const host = isAny ? '127.0.0.1' : listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  return new URL(`${listen.tls === null ? 'http' : 'https'}://${host}:${listen.port}/`);
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new StartError('--node: the URL of a node, such as http://127.0.0.1:8080', {
      exitCode: EXIT.usage,
    });
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}
