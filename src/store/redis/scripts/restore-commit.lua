--[[
Replaces the store's records and audit log by the staged ones, in one step. Keys of records are derived from the
members of the indexes, so they are not in KEYS; all of them are in the slot of KEYS[1].
Input
  KEYS[1]  audit head (hash: seq, hash)   KEYS[2]  audit log   KEYS[3]  change events   KEYS[4]  staged audit log
  KEYS[5]  id of the staged restore
  ARGV[1]  prefix of records          ARGV[2]  prefix of staged records
  ARGV[3]  prefix of indexes          ARGV[4]  prefix of staged indexes
  ARGV[5]  channel of change events   ARGV[6]  id of the identity within the kind `meta`   ARGV[7]  its text
  ARGV[8]  seq, ARGV[9] hash and ARGV[10] text of the last entry
  ARGV[11]  id of the restore   ARGV[12 ..]  kinds of records; a store with a record of the first two is not replaced
Output
  1 replaced   0 the store has clients or licenses, or another restore is staged
]]
local head, log, events, stagedLog = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local records, staged, indexes, stagedIndexes = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local channel, identity, text, seq, hash, entry = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local batch = 1000

if redis.call('GET', KEYS[5]) ~= ARGV[11] then return 0 end
for i = 12, 13 do
  if redis.call('ZCARD', indexes .. ARGV[i]) > 0 then return 0 end
end

local function each(index, visit)
  for at = 0, redis.call('ZCARD', index) - 1, batch do
    for _, id in ipairs(redis.call('ZRANGE', index, at, at + batch - 1)) do visit(id) end
  end
end

for i = 12, #ARGV do
  local kind = ARGV[i]
  each(indexes .. kind, function(id) redis.call('DEL', records .. kind .. ':' .. id) end)
  redis.call('DEL', indexes .. kind)
  each(stagedIndexes .. kind, function(id)
    redis.call('RENAME', staged .. kind .. ':' .. id, records .. kind .. ':' .. id)
  end)
  if redis.call('EXISTS', stagedIndexes .. kind) == 1 then redis.call('RENAME', stagedIndexes .. kind, indexes .. kind) end
end
redis.call('SET', records .. 'meta:' .. identity, seq .. '\n' .. text)
redis.call('ZADD', indexes .. 'meta', 0, identity)

redis.call('DEL', log, head, events, KEYS[5])
if redis.call('EXISTS', stagedLog) == 1 then redis.call('RENAME', stagedLog, log) end
redis.call('RPUSH', log, entry)
redis.call('HSET', head, 'seq', seq, 'hash', hash)
redis.call('PUBLISH', channel, '')
return 1
