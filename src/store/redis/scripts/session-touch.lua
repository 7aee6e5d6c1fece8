--[[
Moves the deadlines of sessions forward. Unknown sessions are skipped.
Input
  KEYS[1]  deadlines (zset: session id -> unix ms)
  ARGV     deadline, session id, deadline, session id, ...
Output
  1
]]
local deadlines = KEYS[1]
local batch = 1000 -- Lua's unpack has a limit of some 8000.

for i = 1, #ARGV, batch do
  redis.call('ZADD', deadlines, 'XX', 'GT', unpack(ARGV, i, math.min(i + batch - 1, #ARGV)))
end
return 1
