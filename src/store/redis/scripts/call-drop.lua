--[[
Removes the record of a call that did not run.
Input
  KEYS[1]  the record (see call-open.lua)   ARGV[1]  call id
Output
  waiters, separated by LF
]]
local record = KEYS[1]
local callId = ARGV[1]

local kept, waiters = unpack(redis.call('HMGET', record, 'callId', 'waiters'))
if kept ~= callId then return '' end
redis.call('DEL', record)
return waiters or ''
