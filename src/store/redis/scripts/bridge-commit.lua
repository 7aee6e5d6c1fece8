-- include identity
--[[
Commits answers and publications on the version that the frames were signed on, completely or not at all: claims are
removed, frames are added to the outbox, positions move, calls are added and removed.
Input
  KEYS[1]  the session (see bridge-exchange.lua)   KEYS[2]  its outbox
  ARGV[1]  instance       ARGV[2]  version          ARGV[3]  notification for a held poll, or ''
  ARGV[4]  most frames    ARGV[5]  most bytes       ARGV[6]  prefix of notification channels
  ARGV[7]  session id     ARGV[8]  life of the outbox, ms
  ARGV[9]  next challenge, unix ms, or ''           ARGV[10] open challenge, or ''
  ARGV[11] most open calls, or '': the frames bring no call          ARGV[12] now, unix ms
  ARGV[13] answered seqs  ARGV[14] frames
  ARGV[15 ..]  the seqs, the frames, per changed field `p:`, `k:` or `o:`: name, value or ''
Output
  'done'   'changed'   'full'   'busy'   'gone'
]]
local session, outbox = KEYS[1], KEYS[2]
local instance, version, notification = ARGV[1], ARGV[2], ARGV[3]
local maxFrames, maxBytes, channels, id, lifeMs = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7], ARGV[8]
local challengeAt, challenge = ARGV[9], ARGV[10]
local maxCalls, now = tonumber(ARGV[11]), tonumber(ARGV[12])
local answered, frames = tonumber(ARGV[13]), tonumber(ARGV[14])
local firstSeq = 15
local firstFrame = firstSeq + answered
local firstField = firstFrame + frames

local names = { 'version', 'identity', 'ended', 'bytes', 'sent', 'ack', 'holder', 'waiters' }
local firstClaim = #names + 1
for i = firstSeq, firstFrame - 1 do names[#names + 1] = 'c:' .. ARGV[i] end
local values = redis.call('HMGET', session, unpack(names))
local known, kept, ended, bytes, sent, ack, holder, waiters = unpack(values, 1, firstClaim - 1)
if not known or ended or kept ~= identity() then return 'gone' end
if known ~= version then return 'changed' end
for i = firstClaim, #names do
  if not values[i] or string.match(values[i], '^[^\n]*') ~= instance then return 'changed' end
end

for i = firstFrame, firstField - 1 do bytes = bytes + #ARGV[i] end
if frames > 0 and (sent - ack + frames > maxFrames or tonumber(bytes) > maxBytes) then return 'full' end

if maxCalls then
  local open, flat = 0, redis.call('HGETALL', session)
  for i = 1, #flat, 2 do
    if string.sub(flat[i], 1, 2) == 'o:' then
      if tonumber(flat[i + 1]) > now then open = open + 1 else redis.call('HDEL', session, flat[i]) end
    end
  end
  if open >= maxCalls then return 'busy' end
end

-- Fields of the session, all removed and all written at once.
local removed, changes = { unpack(names, firstClaim) }, { 'version', string.format('%d', version + 1) }
local function change(name, value)
  changes[#changes + 1] = name
  changes[#changes + 1] = value
end
if frames > 0 then
  redis.call('RPUSH', outbox, unpack(ARGV, firstFrame, firstField - 1))
  if sent == ack then redis.call('PEXPIRE', outbox, lifeMs) end
  change('sent', string.format('%d', sent + frames))
  change('bytes', string.format('%d', bytes))
end
for i = firstField, #ARGV, 2 do
  if ARGV[i + 1] == '' then removed[#removed + 1] = ARGV[i] else change(ARGV[i], ARGV[i + 1]) end
end
if challengeAt ~= '' then
  change('challengeAt', challengeAt)
  change('challenge', challenge)
end
if waiters and answered > 0 then removed[#removed + 1] = 'waiters' end
if #removed > 0 then redis.call('HDEL', session, unpack(removed)) end
redis.call('HSET', session, unpack(changes))

if notification ~= '' and holder and holder ~= instance then
  redis.call('PUBLISH', channels .. holder, notification .. ' ' .. id)
end
if waiters and answered > 0 then
  for waiter in string.gmatch(waiters, '%S+') do
    if waiter ~= instance then redis.call('PUBLISH', channels .. waiter, 'claims ' .. id) end
  end
end
return 'done'
