--[[
Leases overdue sessions, each to one caller, who must end it. A session that was not ended is leased again after the
lease.
Input
  KEYS[1]  deadlines (zset: session id -> unix ms)   KEYS[2]  ids (zset)   KEYS[3]  counts (hash)   KEYS[4]  top (zset)
  ARGV[1]  now, unix ms   ARGV[2]  most sessions   ARGV[3]  lease, ms
  ARGV[4]  prefix of the session keys (same slot)
Output
  { deadline, session id, entry, deadline, session id, entry, ... }
]]
local deadlines, ids, counts, top = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, most, lease, sessionPrefix = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local reaped = {}
local due = redis.call('ZRANGE', deadlines, '-inf', now, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
for i = 1, #due, 2 do
  local id, deadline = due[i], due[i + 1]
  -- A value of another type than a gateway writes counts as missing.
  local entry = redis.pcall('GET', sessionPrefix .. id)
  if type(entry) == 'string' then
    redis.call('ZADD', deadlines, string.format('%d', now + lease), id)
    reaped[#reaped + 1] = deadline
    reaped[#reaped + 1] = id
    reaped[#reaped + 1] = entry
  else
    redis.call('ZREM', deadlines, id)
    redis.call('ZREM', ids, id)
    redis.call('HDEL', counts, id)
    redis.call('ZREM', top, id)
  end
end
return reaped
