--[[
A rate by the generic cell rate algorithm, on the server's clock.
Input
  KEYS[1]  the theoretical arrival time, ms
  ARGV[1]  cost, 0 only looks   ARGV[2]  so many a minute, and as many at once
Output
  0 taken, or enough to take   else the milliseconds until there is enough
]]
local key = KEYS[1]
local cost, perMinute = tonumber(ARGV[1]), tonumber(ARGV[2])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local interval = 60000 / perMinute
local arrival = math.max(tonumber(redis.call('GET', key) or '0'), now)
local wait = math.ceil(arrival + interval * math.max(cost, 1) - interval * perMinute - now)
if wait > 0 then return wait end
if cost > 0 then
  arrival = arrival + interval * cost
  redis.call('SET', key, string.format('%.3f', arrival), 'PX', math.ceil(arrival - now))
end
return 0
