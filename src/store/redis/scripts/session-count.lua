--[[
Adds to what sessions have sent. Unknown sessions are skipped.
Input
  KEYS[1]  deadlines (zset: session id -> unix ms)   KEYS[2]  counts (hash: session id -> "frames bytes refused")
  KEYS[3]  top (zset: session id -> frames)
  ARGV     session id, frames, bytes, refused, session id, ...
Output
  1
]]
local deadlines, counts, top = KEYS[1], KEYS[2], KEYS[3]
local width = 4
local batch = 1000 * width -- Lua's unpack has a limit of some 8000.

for from = 1, #ARGV, batch do
  local ids = {}
  for i = from, math.min(from + batch - 1, #ARGV), width do ids[#ids + 1] = ARGV[i] end
  local known = redis.call('ZMSCORE', deadlines, unpack(ids))
  local before = redis.call('HMGET', counts, unpack(ids))
  local written, ranks = {}, {}
  for j, id in ipairs(ids) do
    if known[j] then
      local at = from + (j - 1) * width
      local frames, bytes, refused = string.match(before[j] or '', '(%d+) (%d+) (%d+)')
      local total = (frames or 0) + ARGV[at + 1]
      written[#written + 1] = id
      written[#written + 1] =
        string.format('%d %d %d', total, (bytes or 0) + ARGV[at + 2], (refused or 0) + ARGV[at + 3])
      ranks[#ranks + 1], ranks[#ranks + 2] = string.format('%d', total), id
    end
  end
  if #written > 0 then
    redis.call('HSET', counts, unpack(written))
    redis.call('ZADD', top, unpack(ranks))
  end
end
return 1
