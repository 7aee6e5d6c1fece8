--[[
Examines some keys of this server for records missing from their index. The scan finds their keys, so they are
not in KEYS; all of them are in the slot of KEYS[1].
Input
  KEYS[1]  a key of the slot of records
  ARGV[1]  cursor, 0 to begin   ARGV[2]  prefix of records   ARGV[3]  prefix of indexes   ARGV[4]  keys at once
Output
  { next cursor, 0 at the end; kinds of unlisted records }
]]
local cursor, records, indexes, count = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local reply = redis.call('SCAN', cursor, 'MATCH', records .. '*', 'COUNT', count)
local kinds, seen = {}, {}
for _, key in ipairs(reply[2]) do
  local kind, id = string.match(string.sub(key, #records + 1), '^(%w+):(.+)$')
  if kind and not seen[kind] and not redis.call('ZSCORE', indexes .. kind, id) then
    seen[kind] = true
    kinds[#kinds + 1] = kind
  end
end
return { reply[1], kinds }
