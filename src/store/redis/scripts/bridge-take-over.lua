--[[
Moves the claims of one instance to another.
Input
  KEYS[1]  the session (see bridge-exchange.lua)   ARGV[1]  from   ARGV[2]  to
Output
  { seq, message, seq, message, ... } the moved claims, unordered
]]
local session = KEYS[1]
local from, to = ARGV[1], ARGV[2]

local moved = {}
if redis.call('HEXISTS', session, 'ended') == 1 then return moved end
local flat = redis.call('HGETALL', session)
for i = 1, #flat, 2 do
  local seq = string.match(flat[i], '^c:(%d+)$')
  local owner, text = string.match(flat[i + 1], '^([^\n]*)\n(.*)$')
  if seq and owner == from then
    redis.call('HSET', session, flat[i], to .. '\n' .. text)
    moved[#moved + 1] = seq
    moved[#moved + 1] = text
  end
end
return moved
