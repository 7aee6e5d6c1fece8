--[[
Stores the first result of a call.
Input
  KEYS[1]  the record (see call-open.lua)   ARGV[1]  call id   ARGV[2]  result
Output
  { 'settled', waiters, separated by LF }   { 'repeated' }   { 'missing' }
]]
local record = KEYS[1]
local callId, result = ARGV[1], ARGV[2]

local kept, waiters, known = unpack(redis.call('HMGET', record, 'callId', 'waiters', 'result'))
if kept ~= callId then return { 'missing' } end
if known then return { 'repeated' } end
redis.call('HSET', record, 'result', result)
redis.call('HDEL', record, 'waiters')
return { 'settled', waiters or '' }
