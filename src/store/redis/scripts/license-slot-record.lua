--[[
Records that a session may hold a slot of a license, before it acquires one: whoever ends the session finds it here.
Input
  KEYS[1]  licenses of the session (set)
  ARGV[1]  license id   ARGV[2]  most licenses   ARGV[3]  life, ms
Output
  1 recorded   0 the session holds slots of as many others
]]
local licenses = KEYS[1]
local id, most, lifeMs = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local isKnown = redis.call('SISMEMBER', licenses, id) == 1
if not isKnown and redis.call('SCARD', licenses) >= most then return 0 end
redis.call('SADD', licenses, id)
redis.call('PEXPIRE', licenses, lifeMs)
return 1
