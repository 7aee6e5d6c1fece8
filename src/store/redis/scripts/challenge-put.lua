-- include identity
--[[
Keeps a challenge with the identity of the server that issued it.
Input
  KEYS[1]  the challenge (string: identity, newline, text)
  ARGV[1]  text   ARGV[2]  life, ms
Output
  1 kept   0 it exists already
]]
local challenge = KEYS[1]
local text, lifeMs = ARGV[1], ARGV[2]

return redis.call('SET', challenge, identity() .. '\n' .. text, 'PX', lifeMs, 'NX') and 1 or 0
