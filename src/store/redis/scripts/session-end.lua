--[[
Removes a session.
Input
  KEYS[1]  the session   KEYS[2]  deadlines   KEYS[3]  ids   KEYS[4]  counts   KEYS[5]  top
  ARGV[1]  session id    ARGV[2]  prefix of the clients' id sets (same slot as the keys)
Output
  1 removed   0 unknown
]]
local session, deadlines, ids, counts, top = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, ofClientPrefix = ARGV[1], ARGV[2]

local entry = redis.call('GET', session)
redis.call('DEL', session)
redis.call('ZREM', ids, id)
redis.call('HDEL', counts, id)
redis.call('ZREM', top, id)
local known = redis.call('ZREM', deadlines, id)
if entry then redis.call('ZREM', ofClientPrefix .. cjson.decode(entry).clientId, id) end
return known
