/**
 * The journal of creates' atomic scripts for Redis 7, one constant each, with what it guarantees.
 *
 * One hash holds all entries, a field per intent, and expires a day after the last write. An entry is JSON: `s` its
 * state, `i` the sealed identity, `r` the incarnation of the primary that wrote the id (see the token store's scripts), `b`
 * when it began, `d` when it is due, `n` how often it was taken. Times are Redis's own, in milliseconds. An entry
 * without an id that is taken is marked `abandoned` as well, so that its process learns of it at `answering`.
 */
const prelude = `#!lua flags=allow-oom
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local incarnation = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
if not incarnation then return redis.error_reply('NOINCARNATION INFO replication tells no master_replid') end
local function read(id)
  local text = redis.call('HGET', key, id)
  return text and cjson.decode(text)
end
local function write(id, entry, keep)
  redis.call('HSET', key, id, cjson.encode(entry))
  redis.call('PEXPIRE', key, keep)
end
local function full(most) return redis.call('HLEN', key) >= tonumber(most) end
`;

/** `ARGV: keep ms, intent, patience ms, most entries` → the receipt, which is the incarnation, or nil when full. */
export const begin = `${prelude}
if full(ARGV[4]) then return nil end
write(ARGV[2], { s = 'begun', b = now, d = now + ARGV[3], n = 0 }, ARGV[1])
return incarnation`;

/** `ARGV: keep ms, intent, identity, untold ms`. Nothing happens unless the create has just begun. */
export const created = `${prelude}
local entry = read(ARGV[2])
if not entry or entry.s ~= 'begun' then return 0 end
entry.s = 'created'; entry.i = ARGV[3]; entry.r = incarnation; entry.d = now + ARGV[4]
write(ARGV[2], entry, ARGV[1])
return 1`;

/**
 * `ARGV: keep ms, intent, receipt, patience ms` → 1: tell the caller; 0: a sweeper was faster. An entry that is not
 * there was swept, unless this is not the primary that gave the receipt: then it was lost, and nobody sweeps it.
 */
export const answering = `${prelude}
local entry = read(ARGV[2])
if not entry then return incarnation == ARGV[3] and 0 or 1 end
if entry.s == 'abandoned' then return 0 end
write(ARGV[2], { s = 'answering', b = entry.b, d = now + ARGV[4], n = 0 }, ARGV[1])
return 1`;

/** `ARGV: keep ms, intent`. */
export const done = `${prelude}
redis.call('HDEL', key, ARGV[2])
return 1`;

/** `ARGV: keep ms, intent, identity or empty, most entries` → 1, or nil when full. */
export const abandoned = `${prelude}
local entry = read(ARGV[2])
if not entry and full(ARGV[4]) then return nil end
local identity = ARGV[3]
if identity == '' then identity = nil end
write(ARGV[2], { s = 'abandoned', i = identity, b = entry and entry.b or now, d = now, n = 0 }, ARGV[1])
return 1`;

/**
 * `ARGV: keep ms, most, claim ms` → intent, identity or empty, age, times taken, … An id that was not told under
 * another incarnation may have been told since, so it is left out.
 */
export const takeDue = `${prelude}
local found = {}
local all = redis.call('HGETALL', key)
for at = 1, #all, 2 do
  if #found >= 4 * ARGV[2] then break end
  local entry = cjson.decode(all[at + 1])
  if entry.d <= now then
    if entry.s == 'created' and entry.r ~= incarnation then entry.i = nil end
    entry.s = 'abandoned'; entry.n = entry.n + 1; entry.d = now + ARGV[3]
    write(all[at], entry, ARGV[1])
    found[#found + 1] = all[at]; found[#found + 1] = entry.i or ''
    found[#found + 1] = now - entry.b; found[#found + 1] = entry.n
  end
end
return found`;

/** `ARGV: keep ms, intent, delay ms`. */
export const postpone = `${prelude}
local entry = read(ARGV[2])
if entry then entry.d = now + ARGV[3]; write(ARGV[2], entry, ARGV[1]) end
return 1`;
