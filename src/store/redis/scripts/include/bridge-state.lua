local fields = { 'version', 'received', 'sent', 'ack', 'poll', 'bytes', 'arrival', 'identity', 'ended', 'holder', 'waiters',
  'challengeAt', 'challenge' }

-- A bridge session without its parts as a table; nil if it is unknown.
local function readSession(session)
  local values = redis.call('HMGET', session, unpack(fields))
  local s = { claims = {}, positions = {}, awaited = {} }
  for i, name in ipairs(fields) do s[name] = values[i] or nil end
  if not s.identity and redis.call('EXISTS', session) == 0 then return nil end
  for i = 1, 7 do s[fields[i]] = s[fields[i]] and tonumber(s[fields[i]]) end
  s.arrival = s.arrival or 0
  return s
end

-- Adds the parts: claims, positions and awaited calls, any number of each.
local function readParts(session, s)
  local flat = redis.call('HGETALL', session)
  for i = 1, #flat, 2 do
    local name, value = flat[i], flat[i + 1]
    local kind = string.sub(name, 1, 2)
    if kind == 'c:' then
      s.claims[#s.claims + 1] = { tonumber(string.sub(name, 3)), string.match(value, '^[^\n]*') }
    elseif kind == 'p:' then
      s.positions[#s.positions + 1] = string.sub(name, 3)
      s.positions[#s.positions + 1] = value
    elseif kind == 'k:' then
      s.awaited[#s.awaited + 1] = string.sub(name, 3)
      s.awaited[#s.awaited + 1] = value
    end
  end
  table.sort(s.claims, function(a, b) return a[1] < b[1] end)
end

-- { version, received, sent, ack, next challenge, open challenge or '', frames, claims, positions, awaited calls }, and the
-- bytes that are left
local function stateOf(s, outbox, answerBytes)
  local frames, remainingBytes, chunk = {}, answerBytes, answerBytes > 0 and 64 or 1
  local waiting = s.sent - s.ack
  while #frames < waiting and remainingBytes >= 0 do
    local kept = redis.call('LRANGE', outbox, #frames, math.min(#frames + chunk, waiting) - 1)
    if #kept == 0 then error('the outbox lacks frames') end
    for _, frame in ipairs(kept) do
      remainingBytes = remainingBytes - #frame - 1
      if remainingBytes < 0 and #frames > 0 then break end
      frames[#frames + 1] = frame
    end
  end
  local claims = {}
  for _, claim in ipairs(s.claims) do
    claims[#claims + 1] = claim[1]
    claims[#claims + 1] = claim[2]
  end
  local state = { s.version, s.received, s.sent, s.ack, s.challengeAt, s.challenge or '', frames, claims, s.positions,
    s.awaited }
  return state, math.max(remainingBytes, 0)
end

-- The instances that wait for claims, including this one, separated by spaces.
local function addWaiter(waiters, instance)
  waiters = waiters or ''
  if string.find(' ' .. waiters .. ' ', ' ' .. instance .. ' ', 1, true) then return waiters end
  return waiters == '' and instance or waiters .. ' ' .. instance
end
