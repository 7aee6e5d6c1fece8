--[[
Opens a call, or joins the call of its record.
The record is a hash: callId, digest, waiters (separated by LF), result.
Input
  KEYS[1]  the record
  ARGV[1]  call id   ARGV[2]  digest   ARGV[3]  waiters   ARGV[4]  life, ms; 0 only joins   ARGV[5]  most waiters
Output
  { 'opened' }   { 'repeated', call id }   { 'repeated', call id, result }   { 'conflict' }   { 'missing' }
]]
local record = KEYS[1]
local callId, digest, added, lifeMs, maxWaiters = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

local kept, first, waiters, result = unpack(redis.call('HMGET', record, 'digest', 'callId', 'waiters', 'result'))
if kept then
  if kept ~= digest then return { 'conflict' } end
  if result then return { 'repeated', first, result } end
  local all = {}
  for each in string.gmatch(waiters .. '\n' .. added, '[^\n]+') do all[#all + 1] = each end
  redis.call('HSET', record, 'waiters', table.concat(all, '\n', math.max(1, #all - maxWaiters + 1)))
  return { 'repeated', first }
end
if lifeMs == 0 then return { 'missing' } end
redis.call('HSET', record, 'callId', callId, 'digest', digest, 'waiters', added)
redis.call('PEXPIRE', record, lifeMs)
return { 'opened' }
