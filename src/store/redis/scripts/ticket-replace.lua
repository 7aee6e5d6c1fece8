--[[
Replaces a ticket's text without changing its expiry.
Input
  KEYS[1]  the ticket (string)
  ARGV[1]  the expected text   ARGV[2]  the new text
Output
  1 replaced   0 it has another text, or is gone
]]
local ticket = KEYS[1]
local expected, text = ARGV[1], ARGV[2]

if redis.call('GET', ticket) ~= expected then return 0 end
redis.call('SET', ticket, text, 'KEEPTTL')
return 1
