-- include identity
--[[
Reads the fence of challenges: it changes when marks of used challenges may have been lost, because Redis was rewound
(its identity changes) or emptied (its own value is gone, and a new one is made).
Input
  KEYS[1]  the value of its own (string)
  ARGV[1]  a random value, used if there is none
Output
  the fence
]]
local own = KEYS[1]
local random = ARGV[1]

local value = redis.call('GET', own)
if not value then
  redis.call('SET', own, random)
  value = random
end
return identity() .. ':' .. value
