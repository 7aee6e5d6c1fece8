--[[
Ends sessions that are overdue. Each is handed to exactly one caller.
Input
  KEYS[1]  deadlines   KEYS[2]  ids
  ARGV[1]  now, unix ms   ARGV[2]  at most so many
  ARGV[3]  prefix of the sessions   ARGV[4]  prefix of the clients' id sets (both in the slot of the keys)
Output
  { deadline, entry, deadline, entry, ... }
]]
local deadlines, ids = KEYS[1], KEYS[2]
local now, most, sessionPrefix, ofClientPrefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local reaped = {}
local due = redis.call('ZRANGE', deadlines, '-inf', now, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
for i = 1, #due, 2 do
  local id, deadline = due[i], due[i + 1]
  local entry = redis.call('GET', sessionPrefix .. id)
  redis.call('ZREM', deadlines, id)
  redis.call('ZREM', ids, id)
  if entry then
    redis.call('DEL', sessionPrefix .. id)
    redis.call('ZREM', ofClientPrefix .. cjson.decode(entry).clientId, id)
    reaped[#reaped + 1] = deadline
    reaped[#reaped + 1] = entry
  end
end
return reaped
