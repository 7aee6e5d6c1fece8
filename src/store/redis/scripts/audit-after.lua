--[[
Reads entries of the audit log. The oldest entries may have been removed: the first one states its number.
Input
  KEYS[1]  audit log (list, without gaps; each entry begins with its number)
  ARGV[1]  number of the entry before the first requested one   ARGV[2]  most entries
Output
  { number of the first returned entry, entries }
]]
local log, after, limit = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])

local first = tonumber(string.match(redis.call('LINDEX', log, 0) or '', '^{"seq":(%d+),') or '1')
local from = math.max(after - first + 1, 0)
return { first + from, redis.call('LRANGE', log, from, from + limit - 1) }
