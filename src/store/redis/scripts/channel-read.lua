-- include identity
-- include channel
--[[
Reads a channel's top and every publication after a position, or only the top if the history does not reach it.
Input
  KEYS[1]  the channel (see include/channel.lua)   KEYS[2]  its history
  ARGV[1]  an epoch, in case one begins   ARGV[2]  life of the channel, ms   ARGV[3]  most publications
  ARGV[4]  offset of the position, or absent       ARGV[5]  its epoch
Output
  { offset, epoch } only the top   { offset, epoch, publications } entries of the history, oldest first
]]
local channel, history = KEYS[1], KEYS[2]
local newEpoch, lifeMs, most, after, afterEpoch = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]

local offset, epoch = readChannel(channel, history, identity(), newEpoch)
redis.call('PEXPIRE', channel, lifeMs)
if not after or afterEpoch ~= epoch or after > offset or offset - after > most then return { offset, epoch } end
local missed = offset - after
if missed == 0 then return { offset, epoch, {} } end
if redis.call('LLEN', history) < missed then return { offset, epoch } end
return { offset, epoch, redis.call('LRANGE', history, -missed, -1) }
