-- include identity
-- include channel
--[[
Reads the tops of channels; on a Cluster their keys must share a slot.
Input
  KEYS  per channel: the channel (see include/channel.lua), its history
  ARGV  per channel: an epoch, in case one begins; life of the channel, ms
Output
  { offset, epoch, offset, epoch, ... }
]]
local here = identity()
local tops = {}
for i = 1, #KEYS, 2 do
  local offset, epoch = readChannel(KEYS[i], KEYS[i + 1], here, ARGV[i])
  redis.call('PEXPIRE', KEYS[i], ARGV[i + 1])
  tops[i], tops[i + 1] = offset, epoch
end
return tops
