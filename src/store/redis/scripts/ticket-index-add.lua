--[[
Adds a ticket to the index, and removes expired ones, by the server's clock.
Input
  KEYS[1]  the index (zset: keyId -> unix ms when it ends)
  ARGV[1]  keyId   ARGV[2]  life, ms
Output
  1
]]
local index = KEYS[1]
local keyId, lifeMs = ARGV[1], tonumber(ARGV[2])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', index, '-inf', string.format('%d', now))
redis.call('ZADD', index, string.format('%d', now + lifeMs), keyId)
return 1
