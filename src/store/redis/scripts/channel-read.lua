-- include identity
-- include channel
--[[
Reads a channel's top and every publication after a position, or only the top if the history does not reach it.
Input
  KEYS[1]  the channel (see include/channel.lua)   KEYS[2]  its history
  ARGV[1]  an epoch, in case one begins
  ARGV[2]  life of a channel that was never published to, ms   ARGV[3]  life of any other, ms
  ARGV[4]  most publications
  ARGV[5]  offset of the position, or absent       ARGV[6]  its epoch
Output
  { offset, epoch, 1 if the channel was unknown } only the top
  { offset, epoch, 1 or 0, publications } entries of the history, oldest first
]]
local channel, history = KEYS[1], KEYS[2]
local newEpoch, most, after, afterEpoch = ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]

local offset, epoch, isNew = readChannel(channel, history, identity(), newEpoch)
local created = isNew and 1 or 0
touchChannel(channel, offset, ARGV[2], ARGV[3])
if not after or afterEpoch ~= epoch or after > offset or offset - after > most then return { offset, epoch, created } end
local missed = offset - after
if missed == 0 then return { offset, epoch, created, {} } end
if redis.call('LLEN', history) < missed then return { offset, epoch, created } end
return { offset, epoch, created, redis.call('LRANGE', history, -missed, -1) }
