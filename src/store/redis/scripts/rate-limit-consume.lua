--[[
Consumes from a rate (generic cell rate algorithm, on the server's clock).
Input
  KEYS[1]  the theoretical arrival time, ms
  ARGV[1]  cost; 0 only checks   ARGV[2]  rate per minute, also the burst
Output
  0 consumed, or available   else the milliseconds until it is available
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
