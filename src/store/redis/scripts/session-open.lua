--[[
Stores a new session, unless its client has too many.
Input
  KEYS[1]  the session (string)          KEYS[2]  deadlines (zset: session id -> unix ms)
  KEYS[3]  ids (zset, all scores 0)      KEYS[4]  ids of the client (zset, all scores 0)
  ARGV[1]  session id   ARGV[2]  entry   ARGV[3]  deadline, unix ms
  ARGV[4]  most sessions of the client   ARGV[5]  life of the keys, ms: a backstop behind the reaper
Output
  1 stored   0 the client has too many
]]
local session, deadlines, ids, ofClient = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, entry, deadline, most, lifeMs = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]

if redis.call('ZCARD', ofClient) >= most then return 0 end
redis.call('SET', session, entry, 'PX', lifeMs)
redis.call('ZADD', deadlines, deadline, id)
redis.call('ZADD', ids, 0, id)
redis.call('ZADD', ofClient, 0, id)
redis.call('PEXPIRE', ofClient, lifeMs)
return 1
