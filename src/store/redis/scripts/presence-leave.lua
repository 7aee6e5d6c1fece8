--[[
Removes members of a channel.
Input
  KEYS[1], KEYS[2]  deadlines and order, see presence-touch.lua
  ARGV[1], ...      members
Output
  the number of removed members
]]
local deadlines, order = KEYS[1], KEYS[2]
redis.call('ZREM', order, unpack(ARGV))
return redis.call('ZREM', deadlines, unpack(ARGV))
