--[[
Extends the deadlines of sessions, and adds to their counts. Unknown sessions are skipped.
Input
  KEYS[1]  deadlines (zset: session id -> unix ms)   KEYS[2]  counts (hash: session id -> "frames bytes refused")
  KEYS[3]  top (zset: session id -> frames)
  ARGV     session id, deadline, frames, bytes, refused, session id, ...
Output
  1
]]
local deadlines, counts, top = KEYS[1], KEYS[2], KEYS[3]
local width = 5
local batch = 1000 * width -- Lua's unpack has a limit of some 8000.

-- All deadlines first: a failure to write counts must not end a session.
for from = 1, #ARGV, batch do
  local moved = {}
  for at = from, math.min(from + batch - 1, #ARGV), width do
    moved[#moved + 1], moved[#moved + 2] = ARGV[at + 1], ARGV[at]
  end
  redis.call('ZADD', deadlines, 'XX', 'GT', unpack(moved))
end

for from = 1, #ARGV, batch do
  local sent = {}
  for at = from, math.min(from + batch - 1, #ARGV), width do
    if ARGV[at + 2] ~= '0' or ARGV[at + 3] ~= '0' or ARGV[at + 4] ~= '0' then sent[#sent + 1] = at end
  end
  if #sent > 0 then
    local ids = {}
    for j, at in ipairs(sent) do ids[j] = ARGV[at] end
    local known = redis.call('ZMSCORE', deadlines, unpack(ids))
    local before = redis.call('HMGET', counts, unpack(ids))
    local written, ranks = {}, {}
    for j, at in ipairs(sent) do
      if known[j] then
        local frames, bytes, refused = string.match(before[j] or '', '(%d+) (%d+) (%d+)')
        local total = (frames or 0) + ARGV[at + 2]
        written[#written + 1] = ids[j]
        written[#written + 1] =
          string.format('%d %d %d', total, (bytes or 0) + ARGV[at + 3], (refused or 0) + ARGV[at + 4])
        ranks[#ranks + 1], ranks[#ranks + 2] = string.format('%d', total), ids[j]
      end
    end
    if #written > 0 then
      redis.call('HSET', counts, unpack(written))
      redis.call('ZADD', top, unpack(ranks))
    end
  end
end
return 1
