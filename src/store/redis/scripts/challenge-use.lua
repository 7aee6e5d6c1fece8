-- include identity
--[[
Marks a challenge as used.
Input
  KEYS[1]  the mark (string)   KEYS[2]  see challenge-fence.lua
  ARGV[1]  the fence that the challenge was checked under   ARGV[2]  life of the mark, ms
Output
  1 marked   0 it was used before, or the fence has changed
]]
local mark, own = KEYS[1], KEYS[2]
local fence, lifeMs = ARGV[1], ARGV[2]

if identity() .. ':' .. (redis.call('GET', own) or '') ~= fence then return 0 end
return redis.call('SET', mark, '', 'PX', lifeMs, 'NX') and 1 or 0
