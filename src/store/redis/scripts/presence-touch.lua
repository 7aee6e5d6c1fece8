--[[
Adds members of a channel or moves their deadlines forward, and removes some whose deadline has passed.
Input
  KEYS[1]  deadlines (zset: `<session id> <client id>` -> unix ms)
  KEYS[2]  order (zset: the same members, all scores 0)
  ARGV[1]  now, unix ms   ARGV[2]  most members   ARGV[3]  life of the keys, ms: a backstop for unused channels
  ARGV[4], ARGV[5], ...   deadline, member, deadline, member, ...
Output
  the number of ignored members, because there were too many
]]
local deadlines, order = KEYS[1], KEYS[2]
local now, most, lifeMs = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local maxRemoved = 1000

local overdue = redis.call('ZRANGE', deadlines, '-inf', now, 'BYSCORE', 'LIMIT', 0, maxRemoved)
if #overdue > 0 then
  redis.call('ZREM', deadlines, unpack(overdue))
  redis.call('ZREM', order, unpack(overdue))
end

local capacity = most - redis.call('ZCARD', deadlines)
local refused = 0
for i = 4, #ARGV, 2 do
  local deadline, member = ARGV[i], ARGV[i + 1]
  if capacity > 0 or redis.call('ZSCORE', deadlines, member) then
    local added = redis.call('ZADD', deadlines, 'GT', deadline, member)
    if added == 1 then redis.call('ZADD', order, 0, member) end
    capacity = capacity - added
  else
    refused = refused + 1
  end
end
redis.call('PEXPIRE', deadlines, lifeMs)
redis.call('PEXPIRE', order, lifeMs)
return refused
