-- include identity
--[[
Removes a challenge and returns its text. A challenge from before a rewind is refused: it may have been consumed.
Input
  KEYS[1]  the challenge (string: identity, newline, text)
Output
  the text   false if there is none
]]
local challenge = KEYS[1]

local kept = redis.call('GETDEL', challenge)
if not kept then return false end
local id, text = string.match(kept, '^([^\n]*)\n(.*)$')
return id == identity() and text
