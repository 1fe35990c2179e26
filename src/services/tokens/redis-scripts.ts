/**
 * The token store's atomic scripts for Redis 7, one constant each, with what it guarantees.
 *
 * One hash per identity holds everything, so that each script touches one key (one Cluster slot), and it expires by
 * itself with the last thing it holds:
 *
 * - `g`: the generation, replaced by each step of a revocation: 16 hexadecimal digits of the primary's incarnation,
 *   then what the gateway made up. The incarnation is Redis's `master_replid`, of whose 160 random bits 64 are plenty
 *   to tell one from the next. It changes when a replica is promoted and when Redis restarts. Both can lose the last
 *   writes, so a hash of another incarnation is dropped before anything is read from it: a lost revocation costs a
 *   cold cache, never a revoked token. One field for both, of 30 bytes, since each field costs 100 bytes or so.
 * - `rv`: the pending revocations, `id:deadline,` each.
 * - `l:<field>`: a lease, its deadline and its id. `e:<field>`: a sealed token behind its deadline.
 *
 * A key of another type is none of ours, whoever made it: it is dropped too, so that its identity is cached again;
 * a value without a deadline is none.
 * Times are Redis's own and lifetimes are relative, so that the gateways' clocks do not matter. The scripts start
 * with `#!lua` and do not declare `no-writes`, reads included: Redis then refuses them on a read-only replica and on
 * a primary that has lost its replicas (`min-replicas-to-write`), instead of answering from the past. `allow-oom`
 * lets a revocation work on a full Redis; `commit` alone does not have it. Deadlines are 13 digits, enough until 2286.
 */
const moment = (flags: string) => `#!lua${flags}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local incarnation = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
if not incarnation then return redis.error_reply('NOINCARNATION INFO replication tells no master_replid') end
incarnation = string.sub(incarnation, 1, 16)
local deadlineAndValue = '^(%d%d%d%d%d%d%d%d%d%d%d%d%d)(.*)$'
`;

const prelude = (flags: string) => `${moment(flags)}
local key = KEYS[1]
local known = redis.pcall('HGET', key, 'g')
if type(known) == 'table' and not string.find(known.err, '^-?WRONGTYPE') then return known end
if known and (type(known) == 'table' or string.sub(known, 1, 16) ~= incarnation) then
  redis.call('DEL', key)
  known = false
end
local function keep(ms) if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, math.ceil(ms)) end end
local function left(field)
  local deadline, value = string.match(redis.call('HGET', key, field) or '', deadlineAndValue)
  if not deadline then return 0 end
  return deadline - now, value
end
local function until_(ms, value) return string.format('%013.0f', now + ms) .. value end
local function pending()
  local wait = 0
  for deadline in string.gmatch(redis.call('HGET', key, 'rv') or '', ':(%d+)') do wait = math.max(wait, deadline - now) end
  return wait
end
local function purge()
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.find(field, '^[el]:') then redis.call('HDEL', key, field) end
  end
end
`;

/** How long a generation outlasts the lease that was taken in it, so that who lost the lease is still judged by it. */
const generationMs = 60_000;

const allowOom = " flags=allow-oom";

/**
 * `KEYS: those of several identities, ARGV: a field for each` → for each the sealed token, or nil. Never one of another
 * incarnation, never one past its deadline. What is dear, the incarnation above all, is asked for once.
 */
export const read = `${moment(allowOom)}
local values = {}
for index, key in ipairs(KEYS) do
  values[index] = false
  local known = redis.pcall('HGET', key, 'g')
  if type(known) == 'table' and not string.find(known.err, '^-?WRONGTYPE') then return known end
  if known and (type(known) == 'table' or string.sub(known, 1, 16) ~= incarnation) then
    redis.call('DEL', key)
  else
    local deadline, value = string.match(redis.call('HGET', key, 'e:' .. ARGV[index]) or '', deadlineAndValue)
    if deadline and deadline - now > 0 then values[index] = value end
  end
end
return values`;

/** No arguments → field, value, field, value … of the tokens that may still be served. */
export const list = `${prelude(allowOom)}
local found = {}
for _, name in ipairs(redis.call('HKEYS', key)) do
  if string.sub(name, 1, 2) == 'e:' then
    local ms, value = left(name)
    if ms > 0 then found[#found + 1] = string.sub(name, 3); found[#found + 1] = value end
  end
end
return found`;

/**
 * `ARGV: field, lease id, lease ms, new generation, min left ms, while revoking (0/1)` →
 * `{'token', value}` | `{'lease', generation}` | `{'busy', ms}` | `{'revoking', ms}`. At most one caller holds the
 * lease of a field.
 */
export const acquire = `${prelude(allowOom)}
local ms, value = pending(), nil
if ms > 0 and ARGV[6] == '0' then return {'revoking', ms} end
ms, value = left('e:' .. ARGV[1])
if ms > 0 and ms >= tonumber(ARGV[5]) then return {'token', value} end
ms = left('l:' .. ARGV[1])
if ms > 0 then return {'busy', ms} end
local generation = known or incarnation .. ARGV[4]
redis.call('HSET', key, 'g', generation, 'l:' .. ARGV[1], until_(ARGV[3], ARGV[2]))
keep(math.max(tonumber(ARGV[3]), ${generationMs}))
return {'lease', generation}`;

/** `ARGV: field, lease id, lease ms` → 1, or 0 when the lease is no longer held by that id. */
export const extend = `${prelude(allowOom)}
local ms, holder = left('l:' .. ARGV[1])
if holder ~= ARGV[2] or ms <= 0 then return 0 end
redis.call('HSET', key, 'l:' .. ARGV[1], until_(ARGV[3], ARGV[2]))
keep(tonumber(ARGV[3]))
return 1`;

/**
 * `ARGV: field, lease id, generation, keep ms, value` → `stored` | `unstored` | `superseded`. Stores only under the
 * generation and incarnation that the lease was taken in, only for who holds the lease, and never while a revocation
 * is pending.
 */
export const commit = `${prelude("")}
if known ~= ARGV[3] then return 'superseded' end
local _, holder = left('l:' .. ARGV[1])
if holder ~= ARGV[2] then return 'unstored' end
redis.call('HDEL', key, 'l:' .. ARGV[1])
if pending() > 0 then return 'unstored' end
redis.call('HSET', key, 'e:' .. ARGV[1], until_(ARGV[4], ARGV[5]))
keep(tonumber(ARGV[4]))
return 'stored'`;

/**
 * `ARGV: field, lease id, generation` → `unstored` | `superseded`. Gives back a lease that is still held by that id,
 * and judges the token as `commit` does: for a store that is too full for it.
 */
export const release = `${prelude(allowOom)}
local _, holder = left('l:' .. ARGV[1])
if holder == ARGV[2] then redis.call('HDEL', key, 'l:' .. ARGV[1]) end
if known ~= ARGV[3] then return 'superseded' end
return 'unstored'`;

/** `ARGV: revocation id, pending ms, new generation`. Drops the tokens and leases, forbids storing until the end. */
export const beginRevocation = `${prelude(allowOom)}
purge()
local entry = ARGV[1] .. ':' .. string.format('%.0f', now + ARGV[2]) .. ','
redis.call('HSET', key, 'g', incarnation .. ARGV[3], 'rv', (redis.call('HGET', key, 'rv') or '') .. entry)
keep(tonumber(ARGV[2]))
return 1`;

/**
 * `ARGV: revocation id, new generation`. Drops the tokens and leases again and ends the revocation. With none pending
 * the whole hash goes: a missing generation supersedes every issuance that began before.
 */
export const endRevocation = `${prelude(allowOom)}
purge()
local rest = string.gsub(redis.call('HGET', key, 'rv') or '', ARGV[1] .. ':%d+,', '')
if rest == '' then redis.call('DEL', key) else redis.call('HSET', key, 'g', incarnation .. ARGV[2], 'rv', rest) end
return 1`;
