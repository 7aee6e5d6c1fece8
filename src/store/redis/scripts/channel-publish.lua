-- constants most mostBytes historyLifeMs channelLifeMs slackMs maxAgedDrops overheadBytes
-- include identity
-- include channel
--[[
Publishes: idempotency, offset, history and the notification of listeners, completely or not at all.
Constants
  most publications of a history, mostBytes of it, historyLifeMs of a publication, channelLifeMs of the channel, slackMs that
  the keys may live longer (their lives are renewed no more often), maxAgedDrops for their age at once, overheadBytes of an
  entry beside its data and owners
Input
  KEYS[1]  the channel, also the name of its Redis channel (see include/channel.lua)   KEYS[2]  its history
  KEYS[3]  result of the idempotency key (string: digest:offset:epoch), or absent
  ARGV[1]  data   ARGV[2]  published at, unix ms   ARGV[3]  an epoch, in case one begins
  ARGV[4]  owners, as decimals, or ''
  ARGV[5]  forms of the notification: plain, sharded (a Cluster keeps it in the shard) or both
  ARGV[6]  life of the channel if it is shorter, ms, '' or absent
  ARGV[7]  digest of the data     ARGV[8]  life of the result, ms (both with KEYS[3])
Output
  offset:epoch, followed by :head:bytes of each dropped entry
  { offset, epoch } published before with this data   { } with other data
Notification
  offset:head:epoch:data
]]
local channel, history, result = KEYS[1], KEYS[2], KEYS[3]
local data, publishedAt, owners, forms, shorterLifeMs = ARGV[1], ARGV[2], ARGV[4], ARGV[5], tonumber(ARGV[6])

local first = result and redis.call('GET', result)
if first then
  local known, offset, epoch = string.match(first, '^([^:]*):(%d+):(.*)$')
  if known ~= ARGV[7] then return {} end
  return { tonumber(offset), epoch }
end

local offset, epoch, _, bytes, oldest, renewed = readChannel(channel, history, identity(), ARGV[3])
local place = string.format('%d', offset + 1)
local now = tonumber(publishedAt)
local head = publishedAt .. owners
local count = redis.call('RPUSH', history, head .. ':' .. data)
local isFirst, oldestBefore = count == 1, oldest
-- The first entry of a new history resets what is known of the earlier ones.
if isFirst then bytes, oldest = 0, now end
bytes = bytes + #owners + #data + overheadBytes

local reply = place .. ':' .. epoch
local function dropOldest()
  local entry = redis.call('LPOP', history)
  local entryHead = string.match(entry, '^[^:]*')
  local entryBytes = #entry - #string.match(entryHead, '^%d*') - 1 + overheadBytes
  reply = reply .. ':' .. entryHead .. ':' .. string.format('%d', entryBytes)
  bytes = bytes - entryBytes
  count = count - 1
end
while count > most or bytes > mostBytes do dropOldest() end
local entryLifeMs = shorterLifeMs and math.min(shorterLifeMs, historyLifeMs) or historyLifeMs
local cutoff = now - entryLifeMs
if oldest < cutoff then
  for _ = 1, maxAgedDrops do
    local nextEntry = count > 0 and redis.call('LINDEX', history, 0)
    oldest = nextEntry and tonumber(string.match(nextEntry, '^%d+')) or now
    if oldest >= cutoff then break end
    dropOldest()
  end
end

if isFirst or math.abs(now - renewed) >= slackMs then
  redis.call('HSET', channel, 'offset', place, 'bytes', string.format('%d', bytes), 'oldest', string.format('%d', oldest),
    'renewed', publishedAt)
  redis.call('PEXPIRE', channel, (shorterLifeMs or channelLifeMs) + slackMs)
  if count > 0 then redis.call('PEXPIRE', history, entryLifeMs + slackMs) end
elseif oldest ~= oldestBefore then
  redis.call('HSET', channel, 'offset', place, 'bytes', string.format('%d', bytes), 'oldest', string.format('%d', oldest))
else
  redis.call('HSET', channel, 'offset', place, 'bytes', string.format('%d', bytes))
end
if result then redis.call('SET', result, ARGV[7] .. ':' .. place .. ':' .. epoch, 'PX', ARGV[8]) end
local notification = place .. ':' .. head .. ':' .. epoch .. ':' .. data
if forms ~= 'plain' then redis.call('SPUBLISH', channel, notification) end
if forms ~= 'sharded' then redis.call('PUBLISH', channel, notification) end
return reply
