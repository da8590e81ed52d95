// The endpoints of a node for clients that speak a protocol of Yjs's providers.
import { systemClock } from '../../actors/clock.ts';
import type { Config } from '../../config/schema.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { SocketsOptions } from '../gateway/sockets/sockets.ts';
import { HocuspocusEndpoint } from './hocuspocus.ts';
import { largestUpdate } from './update-bytes.ts';
import { YWebsocketEndpoint } from './y-websocket.ts';

/** A frame has at most so many bytes beside its update. */
const BYTES_BESIDE = 64 * 1024;

export function yjsEndpoints(
  config: Config,
  gateway: Gateway,
): Pick<SocketsOptions, 'endpoints' | 'endpointFrameBytes'> {
  const { limits } = config;
  const updateBytes = largestUpdate(config);
  const options = { gateway, limits, updateBytes, ...systemClock, random: Math.random };
  return {
    endpoints: [new YWebsocketEndpoint(options), new HocuspocusEndpoint(options)],
    endpointFrameBytes: Math.max(limits.frameBytes, updateBytes + BYTES_BESIDE),
  };
}
