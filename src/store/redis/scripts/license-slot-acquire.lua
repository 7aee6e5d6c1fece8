--[[
Acquires a slot of a license, or keeps the session's slot.
Input
  KEYS[1]  slots (zset: session id -> end, unix ms)
  ARGV[1]  session id   ARGV[2]  most slots   ARGV[3]  end, unix ms   ARGV[4]  now, unix ms
Output
  1 acquired   0 other sessions have all slots
]]
local slots = KEYS[1]
local id, most, endsAt, now = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]

redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
if not redis.call('ZSCORE', slots, id) and redis.call('ZCARD', slots) >= most then return 0 end
redis.call('ZADD', slots, endsAt, id)
local last = redis.call('ZRANGE', slots, -1, -1, 'WITHSCORES')
-- Relative to the caller's now, because this server's clock may differ.
redis.call('PEXPIRE', slots, string.format('%d', math.max(tonumber(last[2]) - tonumber(now), 1)))
return 1
