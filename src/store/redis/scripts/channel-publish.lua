-- constants most mostBytes historyLifeMs channelLifeMs slackMs maxAgedDrops overheadBytes
-- include identity
-- include channel
--[[
Publishes in the order of the input. Each publication is made completely or not at all: idempotency, offset, history and the
notification of listeners. Values of a channel that no gateway wrote fail only its publications. A command that Redis refuses
halfway fails its publication, which is kept like any other.
Constants
  most publications of a history, mostBytes of it, historyLifeMs of a publication, channelLifeMs of the channel, slackMs that
  the keys may live longer (their lives are renewed no more often), maxAgedDrops for their age at once, overheadBytes of an
  entry beside its data and owners
Input
  KEYS  per publication: the channel, also the name of its Redis channel (see include/channel.lua); its history; with an
        idempotency key also its result (string: digest:offset:epoch). On a Cluster all keys must share a slot. The
        data of a channel is read and written once for publications in a row.
  ARGV[1]  forms of the notifications: plain, sharded (a Cluster keeps them in the shard) or both
  ARGV[2 ..]  per publication: data; published at, unix ms; an epoch, in case one begins; owners, as decimals, or '';
        `life` or, with an idempotency key, `life:digest:result life`, where life is that of the channel, ms, or '' if it is
        not shorter than others, digest that of the data, and result life that of the result, ms
Output
  a list with one of these for each publication; of one publication only that
    offset:epoch, followed by :head:bytes of each dropped entry
    { offset, epoch } published before with this data   { } with other data
    an error
Notification
  offset:head:epoch:data
There are no functions here: creating them costs as much as a command.
]]
local forms, here = ARGV[1], identity()
-- One publication has three keys at most.
local replies, key, arg = KEYS[4] and {}, 1, 2
-- The channel of the last publication, if it could be read, and its pending writes.
local channel, offset, epoch, bytes, oldest, renewed, _
local place, isAged, isRenewed

while KEYS[key] do
  local name, history, data, publishedAt, life = KEYS[key], KEYS[key + 1], ARGV[arg], ARGV[arg + 1], ARGV[arg + 4]
  local result, digest, resultLifeMs, reply, failure, count, position
  if life ~= '' and string.find(life, ':', 1, true) then
    result = KEYS[key + 2]
    life, digest, resultLifeMs = string.match(life, '^(%d*):([^:]*):(%d*)$')
  end
  local first = result and redis.pcall('GET', result)
  if type(first) == 'table' then
    failure = first
  elseif first then
    local known, firstOffset, firstEpoch = string.match(first, '^([^:]*):(%d+):(.*)$')
    reply = known == digest and { tonumber(firstOffset), firstEpoch } or {}
  elseif name ~= channel then
    local isRead
    isRead, offset, epoch, _, bytes, oldest, renewed = pcall(readChannel, name, history, here, ARGV[arg + 2])
    if not isRead then
      failure = type(offset) == 'table' and offset or { err = offset }
    elseif not (offset and epoch and bytes and oldest and renewed) then
      failure = { err = 'WRONGTYPE no gateway wrote this channel' }
    end
    channel = not failure and name
  end
  local head = publishedAt .. ARGV[arg + 3]
  if not (reply or failure) then
    count = redis.pcall('RPUSH', history, head .. ':' .. data)
    if type(count) == 'table' then failure, count = count, nil end
  end

  if count then
    local now, shorterLifeMs = tonumber(publishedAt), tonumber(life)
    local isFirst, oldestBefore = count == 1, oldest
    -- The first entry of a new history resets the data of earlier ones.
    if isFirst then bytes, oldest = 0, now end
    bytes = bytes + #head - #publishedAt + #data + overheadBytes
    offset = offset + 1
    position = string.format('%d', offset)
    place = position
    reply = position .. ':' .. epoch

    local entryLifeMs = shorterLifeMs and math.min(shorterLifeMs, historyLifeMs) or historyLifeMs
    local cutoff, agedLeft = now - entryLifeMs, maxAgedDrops
    while count > 0 do
      if count <= most and bytes <= mostBytes then
        if oldest >= cutoff or agedLeft == 0 then break end
        agedLeft = agedLeft - 1
        local nextEntry = redis.pcall('LINDEX', history, 0)
        if type(nextEntry) == 'table' then
          failure = nextEntry
          break
        end
        oldest = tonumber(string.match(nextEntry, '^%d+')) or now
        if oldest >= cutoff then break end
      end
      local entry = redis.pcall('LPOP', history)
      if type(entry) == 'table' then
        failure = entry
        break
      end
      local entryHead = string.match(entry, '^[^:]*')
      local entryBytes = #entry - #string.match(entryHead, '^%d*') - 1 + overheadBytes
      reply = reply .. ':' .. entryHead .. ':' .. string.format('%d', entryBytes)
      bytes = bytes - entryBytes
      count = count - 1
    end
    if count == 0 and oldest < cutoff then oldest = now end
    if oldest ~= oldestBefore then isAged = true end

    if isFirst or math.abs(now - renewed) >= slackMs then
      isRenewed, renewed = true, now
      local renewal = redis.pcall('PEXPIRE', channel, (shorterLifeMs or channelLifeMs) + slackMs)
      if count > 0 then renewal = redis.pcall('PEXPIRE', history, entryLifeMs + slackMs) end
      if type(renewal) == 'table' then failure = renewal end
    end
  end

  key, arg = key + (result and 3 or 2), arg + 5
  if place and KEYS[key] ~= name then
    local size = string.format('%d', bytes)
    if isRenewed then
      redis.call('HSET', channel, 'offset', place, 'bytes', size, 'oldest', string.format('%d', oldest), 'renewed',
        string.format('%d', renewed))
    elseif isAged then
      redis.call('HSET', channel, 'offset', place, 'bytes', size, 'oldest', string.format('%d', oldest))
    else
      redis.call('HSET', channel, 'offset', place, 'bytes', size)
    end
    place, isAged, isRenewed = nil, nil, nil
  end
  if count then
    local kept = result and redis.pcall('SET', result, digest .. ':' .. position .. ':' .. epoch, 'PX', resultLifeMs)
    if kept and kept.err then failure = kept end
    local notification = position .. ':' .. head .. ':' .. epoch .. ':' .. data
    local sent = forms ~= 'plain' and redis.pcall('SPUBLISH', channel, notification)
    if type(sent) == 'table' then failure = sent end
    sent = forms ~= 'sharded' and redis.pcall('PUBLISH', channel, notification)
    if type(sent) == 'table' then failure = sent end
  end
  -- READONLY refuses every write, and only the error of a whole script makes a gateway connect again.
  if failure and string.find(failure.err, '^READONLY') then return failure end
  reply = failure or reply
  if replies then replies[#replies + 1] = reply else replies = reply end
end
return replies
