-- include identity
-- include channel
--[[
Reads a channel's top and its newest publications, or those just before a position. Its cost is bounded by the entries
that it returns, and one chunk of those that do not fit.
Input
  KEYS[1]  the channel (see include/channel.lua)   KEYS[2]  its history
  ARGV[1]  an epoch, in case one begins
  ARGV[2]  life of a channel that was never published to, ms   ARGV[3]  life of any other, ms
  ARGV[4]  most publications                        ARGV[5]  most bytes of their data; at least one is returned
  ARGV[6]  offset of the position, or absent        ARGV[7]  its epoch
Output
  { offset, epoch, 1 if the channel was unknown or 0, offset of the newest entry, 1 if older ones are kept or 0, entries }
  entries of the history, oldest first
]]
local channel, history = KEYS[1], KEYS[2]
local newEpoch, most, mostBytes = ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5])
local before, beforeEpoch = tonumber(ARGV[6]), ARGV[7]
local chunk = 8

local offset, epoch, isNew = readChannel(channel, history, identity(), newEpoch)
local created = isNew and 1 or 0
touchChannel(channel, offset, ARGV[2], ARGV[3])
local none = { offset, epoch, created, offset, 0, {} }
if before and beforeEpoch ~= epoch then return none end

local kept = redis.call('LLEN', history)
local skipped = before and math.max(offset + 1 - before, 0) or 0
if skipped >= kept then return none end

-- Backwards, since the bytes decide how many fit.
local newestFirst, bytes, isFull = {}, 0, false
while not isFull and #newestFirst < most and skipped + #newestFirst < kept do
  local last = skipped + #newestFirst + 1
  local first = math.min(last + math.min(chunk, most - #newestFirst) - 1, kept)
  local entries = redis.call('LRANGE', history, -first, -last)
  for i = #entries, 1, -1 do
    bytes = bytes + #entries[i] - #string.match(entries[i], '^[^:]*') - 1
    isFull = bytes > mostBytes and #newestFirst > 0
    if isFull then break end
    newestFirst[#newestFirst + 1] = entries[i]
  end
end
local oldestFirst = {}
for i = #newestFirst, 1, -1 do oldestFirst[#oldestFirst + 1] = newestFirst[i] end
local hasOlder = skipped + #newestFirst < kept and 1 or 0
return { offset, epoch, created, offset - skipped, hasOlder, oldestFirst }
