--[[
Adds an instance's amounts to those of an owner.
Input
  KEYS[1]  the owner's amounts (hash: field -> amount)
  ARGV[1]  least life of the key, ms   ARGV[2]  number of ended fields
  ARGV[3 ..]  these fields, then field, amount, field, amount, ...
Output
  { field, amount, field, amount, ... } of all instances
]]
local amounts = KEYS[1]
local lifeMs, ended = tonumber(ARGV[1]), tonumber(ARGV[2])
local firstAmount = 3 + ended

if ended > 0 then redis.call('HDEL', amounts, unpack(ARGV, 3, firstAmount - 1)) end
for i = firstAmount, #ARGV, 2 do redis.call('HINCRBY', amounts, ARGV[i], ARGV[i + 1]) end
if redis.call('PTTL', amounts) < lifeMs then redis.call('PEXPIRE', amounts, lifeMs) end
return redis.call('HGETALL', amounts)
