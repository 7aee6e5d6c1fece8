-- include identity
-- include channel
--[[
Publishes: idempotency, offset, history and the notification of listeners, completely or not at all.
Input
  KEYS[1]  the channel, also the name of its Redis channel (see include/channel.lua)   KEYS[2]  its history
  KEYS[3]  result of the idempotency key (string: digest:offset:epoch), or absent
  ARGV[1]  data               ARGV[2]  published at, unix ms   ARGV[3]  an epoch, in case one begins
  ARGV[4]  most publications  ARGV[5]  most bytes              ARGV[6]  life of a publication in the history, ms
  ARGV[7]  life of the channel, ms                             ARGV[8]  most publications that are dropped for their age
  ARGV[9]  bytes of an entry beside its data and owners        ARGV[10]  owners, as decimals, or ''
  ARGV[11]  digest of the data  ARGV[12]  life of the result, ms (both with KEYS[3])
Output
  { 1, offset, epoch, { head, bytes, ... } of the dropped entries } published; without the list if there are none
  { 0, offset, epoch } published before with this data   { -1 } with other data
Notification
  offset:head:epoch:data
]]
local channel, history, result = KEYS[1], KEYS[2], KEYS[3]
local data, publishedAt, newEpoch = ARGV[1], ARGV[2], ARGV[3]
local most, mostBytes, historyLifeMs, lifeMs = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
local maxAgedDrops, overhead = tonumber(ARGV[8]), tonumber(ARGV[9])
local owners, digest, resultLifeMs = ARGV[10], ARGV[11], ARGV[12]

local first = result and redis.call('GET', result)
if first then
  local known, offset, epoch = string.match(first, '^([^:]*):(%d+):(.*)$')
  if known ~= digest then return { -1 } end
  return { 0, tonumber(offset), epoch }
end

local offset, epoch, _, bytes, oldest = readChannel(channel, history, identity(), newEpoch)
offset = offset + 1
local place = string.format('%d', offset)
local head = publishedAt .. owners
local entry = head .. ':' .. data
local count = redis.call('RPUSH', history, entry)
-- The first entry of a new history resets what is known of the earlier ones.
if count == 1 then bytes, oldest = 0, tonumber(publishedAt) end
bytes = bytes + #owners + #data + overhead

local dropped, droppedBytes = {}, 0
local function dropOldest()
  local oldestEntry = redis.call('LPOP', history)
  local entryBytes = #oldestEntry - #string.match(oldestEntry, '^%d*') - 1 + overhead
  dropped[#dropped + 1] = string.match(oldestEntry, '^[^:]*')
  dropped[#dropped + 1] = entryBytes
  droppedBytes = droppedBytes + entryBytes
  count = count - 1
end
while count > most or bytes - droppedBytes > mostBytes do dropOldest() end
local cutoff = tonumber(publishedAt) - tonumber(historyLifeMs)
if oldest < cutoff then
  for _ = 1, maxAgedDrops do
    local nextEntry = count > 0 and redis.call('LINDEX', history, 0)
    oldest = nextEntry and tonumber(string.match(nextEntry, '^%d+')) or tonumber(publishedAt)
    if oldest >= cutoff then break end
    dropOldest()
  end
end

redis.call('HSET', channel, 'offset', place, 'bytes', string.format('%d', bytes - droppedBytes),
  'oldest', string.format('%d', oldest))
redis.call('PEXPIRE', channel, lifeMs)
if count > 0 then redis.call('PEXPIRE', history, historyLifeMs) end
if result then redis.call('SET', result, digest .. ':' .. place .. ':' .. epoch, 'PX', resultLifeMs) end
redis.call('PUBLISH', channel, place .. ':' .. head .. ':' .. epoch .. ':' .. data)
if #dropped == 0 then return { 1, offset, epoch } end
return { 1, offset, epoch, dropped }
