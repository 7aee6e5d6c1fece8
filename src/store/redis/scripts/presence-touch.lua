--[[
Adds members of a channel or moves their deadlines forward, and removes some whose deadline has passed.
Input
  KEYS[1]  deadlines (zset: `<session id> <client id>` -> unix ms)
  KEYS[2]  order (zset: the same members, all scores 0)
  ARGV[1]  now, unix ms   ARGV[2]  most members   ARGV[3]  life of the keys, ms: a backstop for unused channels
  ARGV[4]  most members of each kind to return
  ARGV[5], ARGV[6], ...   deadline, member, deadline, member, ...
Output
  { new members, members whose deadline has passed }
]]
local deadlines, order = KEYS[1], KEYS[2]
local now, most, lifeMs, mostReported = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local maxRemoved = 1000

local overdue = redis.call('ZRANGE', deadlines, '-inf', now, 'BYSCORE', 'LIMIT', 0, maxRemoved)
if #overdue > 0 then
  redis.call('ZREM', deadlines, unpack(overdue))
  redis.call('ZREM', order, unpack(overdue))
end

local capacity = most - redis.call('ZCARD', deadlines)
local joined, left = {}, {}
for i = 1, math.min(#overdue, mostReported) do left[i] = overdue[i] end
for i = 5, #ARGV, 2 do
  local deadline, member = ARGV[i], ARGV[i + 1]
  if capacity > 0 or redis.call('ZSCORE', deadlines, member) then
    local added = redis.call('ZADD', deadlines, 'GT', deadline, member)
    if added == 1 then
      redis.call('ZADD', order, 0, member)
      if #joined < mostReported then joined[#joined + 1] = member end
    end
    capacity = capacity - added
  end
end
redis.call('PEXPIRE', deadlines, lifeMs)
redis.call('PEXPIRE', order, lifeMs)
return { joined, left }
