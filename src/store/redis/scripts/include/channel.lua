--[[
A channel is a hash: epoch, offset (of its newest publication), identity (of the server that the epoch belongs to),
bytes (of its history), oldest (when the oldest entry of its history was published, unix ms, or an earlier time),
renewed (when a publication last renewed the lives of both keys, unix ms; earlier versions renew them without it). Its
history is a list of `<unix ms><owners>:<data>`: the publications up to offset, without a gap. `<unix ms><owners>`, the
head, has its owners as decimals or not at all (see owners-suffix.ts).

  local offset, epoch, isNew, bytes, oldest, renewed = readChannel(channel, history, here, newEpoch)

A channel that is unknown or was written under another identity begins a new epoch; its offset continues. `isNew`: it was
unknown.
]]
local function readChannel(channel, history, here, newEpoch)
  local epoch, offset, identity, bytes, oldest, renewed =
    unpack(redis.call('HMGET', channel, 'epoch', 'offset', 'identity', 'bytes', 'oldest', 'renewed'))
  if identity == here then
    return tonumber(offset), epoch, false, tonumber(bytes), tonumber(oldest or '0'), tonumber(renewed or '0')
  end
  redis.call('HSET', channel, 'epoch', newEpoch, 'offset', offset or '0', 'identity', here, 'bytes', '0', 'oldest', '0')
  redis.call('DEL', history)
  return tonumber(offset or '0'), newEpoch, not offset, 0, 0, 0
end

-- A channel that was never published to has a shorter life. Both in ms.
local function touchChannel(channel, offset, unpublishedLifeMs, publishedLifeMs)
  redis.call('PEXPIRE', channel, offset == 0 and unpublishedLifeMs or publishedLifeMs)
end
