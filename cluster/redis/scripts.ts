// The Lua scripts that Redis runs for a lease store. Each operation is one script, so it takes one round trip
// and is atomic. All keys are declared and share a hash tag, so one node of a Redis Cluster has them all.
// Every script begins with the marker (backend.ts): KEYS[1] and ARGV[1].

export interface Keys {
  readonly marker: string;
  /**
   * Hash: run -> `<expiry, ms of Redis's clock>:<lease>`. One key, so that listing needs no search for keys.
   */
  readonly leases: string;
  /** Hash: shard -> `<epoch>:<owner>`. */
  readonly map: string;
  readonly channel: string;
}

export function keysOf(prefix: string, cluster: string): Keys {
  const base = `${prefix}:{${cluster}}`;
  return {
    marker: `${base}:marker`,
    leases: `${base}:leases`,
    map: `${base}:map`,
    channel: `${base}:events`,
  };
}

const MARKER = `
local marker = redis.call('GET', KEYS[1])
if not marker then
  marker = ARGV[1]
  redis.call('SET', KEYS[1], marker)
end
`;

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** Writes even if the marker is there, because a replica or a full Redis refuses writes. */
export const MARK = `${MARKER}
redis.call('SET', KEYS[1], marker)
return {marker}
`;

/** KEYS[2] leases. ARGV: run, lease, ttl in ms. */
export const RENEW = `${MARKER}${NOW}
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f', now + ARGV[4]) .. ':' .. ARGV[3])
return {marker}
`;

/** KEYS[2] leases. Removes leases that have expired. */
export const LIST = `${MARKER}${NOW}
local found = {marker}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local colon = string.find(all[i + 1], ':', 1, true)
  if tonumber(string.sub(all[i + 1], 1, colon - 1)) > now then
    found[#found + 1] = string.sub(all[i + 1], colon + 1)
  else
    redis.call('HDEL', KEYS[2], all[i])
  end
end
return found
`;

/** KEYS[2] leases. ARGV: run. */
export const RELEASE = `${MARKER}
redis.call('HDEL', KEYS[2], ARGV[2])
return {marker}
`;

/** KEYS[2] map. ARGV: shard, epoch, owner, repeated for each entry. */
export const RAISE = `${MARKER}
for i = 2, #ARGV, 3 do
  local there = redis.call('HGET', KEYS[2], ARGV[i])
  if not there or tonumber(string.match(there, '^%d+')) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1] .. ':' .. ARGV[i + 2])
  end
end
return {marker}
`;

/** KEYS[2] map. Returns shard and `epoch:owner`, repeated for each entry. */
export const MAP = `${MARKER}
local found = redis.call('HGETALL', KEYS[2])
table.insert(found, 1, marker)
return found
`;
