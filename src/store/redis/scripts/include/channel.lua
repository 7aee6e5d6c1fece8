--[[
A channel is a hash: epoch, offset (of its newest publication), identity (of the server that the epoch belongs to),
bytes (of its history). Its history is a list of `<unix ms>:<data>`: the publications up to offset, without a gap.

  local offset, epoch, bytes = readChannel(channel, history, here, newEpoch)

A channel that is unknown or was written under another identity begins a new epoch; its offset goes on.
]]
local function readChannel(channel, history, here, newEpoch)
  local epoch, offset, identity, bytes = unpack(redis.call('HMGET', channel, 'epoch', 'offset', 'identity', 'bytes'))
  if identity == here then return tonumber(offset), epoch, tonumber(bytes) end
  redis.call('HSET', channel, 'epoch', newEpoch, 'offset', offset or '0', 'identity', here, 'bytes', '0')
  redis.call('DEL', history)
  return tonumber(offset or '0'), newEpoch, 0
end
