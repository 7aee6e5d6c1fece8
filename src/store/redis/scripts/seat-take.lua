--[[
Takes a seat on a license, or keeps the one that the session has.
Input
  KEYS[1]  seats (zset: session id -> deadline, unix ms)
  ARGV[1]  session id   ARGV[2]  most seats   ARGV[3]  deadline, unix ms   ARGV[4]  now, unix ms
Output
  1 seated   0 all seats are taken by others
]]
local seats = KEYS[1]
local id, most, deadline, now = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]

redis.call('ZREMRANGEBYSCORE', seats, '-inf', now)
if not redis.call('ZSCORE', seats, id) and redis.call('ZCARD', seats) >= most then return 0 end
redis.call('ZADD', seats, deadline, id)
local last = redis.call('ZRANGE', seats, -1, -1, 'WITHSCORES')
-- Counted from the caller's now: this server's own clock decides of nothing.
redis.call('PEXPIRE', seats, string.format('%d', math.max(tonumber(last[2]) - tonumber(now), 1)))
return 1
