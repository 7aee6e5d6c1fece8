--[[
Ends a session of the bridge: what waits is dropped, its info and the code stay for a while.
Input
  KEYS[1]  the session (see bridge-exchange.lua)   KEYS[2]  its outbox
  ARGV[1]  code   ARGV[2]  how long it is kept, ms   ARGV[3]  prefix of the channels of words   ARGV[4]  session id
Output
  the code that counts, or '' where there is no such session
]]
local session, outbox = KEYS[1], KEYS[2]
local code, keptMs, words, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local info, kept, ended, holder = unpack(redis.call('HMGET', session, 'info', 'identity', 'ended', 'holder'))
if not info then return '' end
if ended then return ended end
redis.call('DEL', session, outbox)
redis.call('HSET', session, 'info', info, 'identity', kept, 'ended', code)
redis.call('PEXPIRE', session, keptMs)
if holder then redis.call('PUBLISH', words .. holder, 'ended ' .. id) end
return code
