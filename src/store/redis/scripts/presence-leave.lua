--[[
Removes members of a channel.
Input
  KEYS[1], KEYS[2]  deadlines and order, see presence-touch.lua
  ARGV[1]  most members to return   ARGV[2], ...  members
Output
  { {}, the removed members }
]]
local deadlines, order = KEYS[1], KEYS[2]
local mostReported = tonumber(ARGV[1])
local left = {}
for i = 2, #ARGV do
  redis.call('ZREM', order, ARGV[i])
  if redis.call('ZREM', deadlines, ARGV[i]) == 1 and #left < mostReported then left[#left + 1] = ARGV[i] end
end
return { {}, left }
