--[[
Sets a small value that live or ending objects depend on.
Input
  KEYS[1]  the key   ARGV[1]  value   ARGV[2]  life, ms; 0: unlimited
Output
  1
]]
local key, value, lifeMs = KEYS[1], ARGV[1], tonumber(ARGV[2])

if lifeMs > 0 then redis.call('SET', key, value, 'PX', lifeMs) else redis.call('SET', key, value) end
return 1
