-- include identity
-- include channel
--[[
The tops of channels that lie in one slot, or of any where there is no Cluster.
Input
  KEYS  per channel: the channel (see include/channel.lua), its history
  ARGV  per channel: an epoch, should one begin; life of the channel, ms
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
