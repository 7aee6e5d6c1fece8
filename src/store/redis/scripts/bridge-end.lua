--[[
Ends a bridge session: the outbox is dropped, the info and the code are kept for a while.
Input
  KEYS[1]  the session (see bridge-exchange.lua)   KEYS[2]  its outbox
  ARGV[1]  code   ARGV[2]  life of info and code, ms   ARGV[3]  prefix of notification channels   ARGV[4]  session id
Output
  { code of the first call, or '' if the session is unknown; '1' for the first call, else '0'; ids of calls to it that
    were open }
]]
local session, outbox = KEYS[1], KEYS[2]
local code, keptMs, channels, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local info, kept, ended, holder = unpack(redis.call('HMGET', session, 'info', 'identity', 'ended', 'holder'))
if not info then return { '' } end
if ended then return { ended, '0' } end
local reply = { code, '1' }
for _, name in ipairs(redis.call('HKEYS', session)) do
  if string.sub(name, 1, 2) == 'o:' then reply[#reply + 1] = string.sub(name, 3) end
end
redis.call('DEL', session, outbox)
redis.call('HSET', session, 'info', info, 'identity', kept, 'ended', code)
redis.call('PEXPIRE', session, keptMs)
if holder then redis.call('PUBLISH', channels .. holder, 'ended ' .. id) end
return reply
