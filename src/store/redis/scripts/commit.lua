--[[
Commits a change of records with its audit entry and its change event, completely or not at all.
Input
  KEYS[1]  audit head (hash: seq, hash)      KEYS[2]  audit log (list, see audit-after.lua)
  KEYS[3]  change events (zset: event -> seq)     KEYS[4]  identity record
  KEYS[5 ..]  per write: the record, the index of its kind
  ARGV[1]  audit seq that the entry follows  ARGV[2]  the entry's hash   ARGV[3]  the entry's text
  ARGV[4]  change event or ''                ARGV[5]  channel of their notifications
  ARGV[6]  most change events; older ones are dropped
  ARGV[7]  required prefix of the identity, '' for any
  ARGV[8]  number up to which audit entries are removed, 0 for none
  ARGV[9 ..]  per write: expected version, id, 'put' or 'remove', text
Output
  { 1, seq } committed   { 0 } a record has another version   { -1, seq, hash } the audit log has moved on
  { -2 } another store   { -3 } the audit log of this store is lost
]]
local head, log, events, identity = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local follows, entryHash, entryText, event, channel = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local writes = (#KEYS - 4) / 2
local maxEvents, start, cut = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])

if start ~= '' then
  if not string.find(redis.call('GET', identity) or '', '\n' .. start, 1, true) then return { -2 } end
  if redis.call('EXISTS', head) == 0 then return { -3 } end
end

for i = 0, writes - 1 do
  local stored = redis.call('GET', KEYS[5 + 2 * i])
  local version = stored and string.match(stored, '^%d+') or '0'
  if version ~= ARGV[9 + 4 * i] then return { 0 } end
end

local seq = tonumber(redis.call('HGET', head, 'seq') or '0')
if seq ~= follows then return { -1, seq, redis.call('HGET', head, 'hash') or '' } end

seq = seq + 1
local version = string.format('%d', seq)
for i = 0, writes - 1 do
  local record, index = KEYS[5 + 2 * i], KEYS[6 + 2 * i]
  local expected, id, operation, text = ARGV[9 + 4 * i], ARGV[10 + 4 * i], ARGV[11 + 4 * i], ARGV[12 + 4 * i]
  if operation == 'put' then
    redis.call('SET', record, version .. '\n' .. text)
    if expected == '0' then redis.call('ZADD', index, 0, id) end
  else
    redis.call('DEL', record)
    redis.call('ZREM', index, id)
  end
end

if cut > 0 then
  local first = tonumber(string.match(redis.call('LINDEX', log, 0) or '', '^{"seq":(%d+),') or '0')
  if first > 0 and first <= cut then redis.call('LTRIM', log, cut - first + 1, -1) end
end
redis.call('RPUSH', log, entryText)
redis.call('HSET', head, 'seq', version, 'hash', entryHash)
if event ~= '' then
  redis.call('ZADD', events, seq, event)
  redis.call('ZREMRANGEBYRANK', events, 0, -maxEvents - 1)
  redis.call('PUBLISH', channel, event)
end
return { 1, seq }
