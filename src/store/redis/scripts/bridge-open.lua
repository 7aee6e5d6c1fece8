-- include identity
--[[
Stores a new bridge session.
Input
  KEYS[1]  the session (hash, see bridge-exchange.lua)
  ARGV[1]  info   ARGV[2]  life of the keys, ms: a backstop behind the reaper   ARGV[3]  next challenge, unix ms
  ARGV[4 ..]  per channel joined from the start: name, position
Output
  1
]]
local session = KEYS[1]
local info, lifeMs, challengeAt = ARGV[1], ARGV[2], ARGV[3]

redis.call('HSET', session, 'info', info, 'identity', identity(), 'version', 0, 'received', 1, 'sent', 1, 'ack', 1,
  'poll', 0, 'bytes', 0, 'challengeAt', challengeAt)
for i = 4, #ARGV, 2 do redis.call('HSET', session, 'p:' .. ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', session, lifeMs)
return 1
