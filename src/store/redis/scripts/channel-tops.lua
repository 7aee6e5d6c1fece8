-- include identity
-- include channel
--[[
Reads the tops of channels; on a Cluster their keys must share a slot.
Input
  KEYS     per channel: the channel (see include/channel.lua), its history
  ARGV[1]  life of a channel that was never published to, ms
  ARGV[2 ..]  per channel: an epoch, in case one begins; its life if it was published to, ms
Output
  { offset, epoch, 1 if the channel was unknown or 0, ... }
]]
local here = identity()
local unpublishedLifeMs = ARGV[1]
local tops = {}
for i = 1, #KEYS, 2 do
  local offset, epoch, isNew = readChannel(KEYS[i], KEYS[i + 1], here, ARGV[i + 1])
  touchChannel(KEYS[i], offset, unpublishedLifeMs, ARGV[i + 2])
  tops[#tops + 1] = offset
  tops[#tops + 1] = epoch
  tops[#tops + 1] = isNew and 1 or 0
end
return tops
