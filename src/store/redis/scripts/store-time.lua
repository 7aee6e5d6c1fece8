--[[
Reads the server's clock. A script, because its key selects the shard whose clock the sessions follow.
Input
  KEYS[1]  any key of the sessions' slot
Output
  unix ms
]]
local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)
