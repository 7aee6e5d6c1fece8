-- include identity
-- include bridge-state
--[[
Exchanges of bridge sessions (PROTOCOL §9.4), in the order of the input. Each checks the seqs of its batch, claims new
messages or commits their answers, applies the ack and returns the state, completely or not at all.
A session is a hash: info, identity, version, received, sent, ack, poll, bytes (of the outbox), holder (the instance
of the held poll), waiters (instances that wait for claims), arrival (theoretical arrival time of the rate), challengeAt,
challenge, ended; `c:<seq>` a claim: its owner, LF, the message; `p:<channel>` the session's position in the channel;
`k:<seq>` a call by it that is open: record, deadline, digest, separated by spaces; `o:<call id>` an open call to it: its expiry.
Input
  KEYS  per exchange: the session; its outbox (list: frames ack + 1 to sent). On a Cluster all keys must share a slot.
  ARGV[1]  instance      ARGV[2]  bytes of frames to return, of all exchanges together; each returns at least one
  ARGV[3]  messages and polls per second, 0 unlimited           ARGV[4]  burst, seconds
  ARGV[5]  prefix of notification channels     ARGV[6]  life of an outbox, ms
  ARGV[7 ..]  per exchange: session id; poll; ack; 1 if the poll may wait; version and received of the state that the caller
        knows, if it is without claims, or '' and ''; number of messages; number of answers, to each message one, from seq
        ack + 1 on, or 0; the answers; per message: seq, text
Output
  a list with one of these for each exchange; of one exchange only that
    { 'missing', 1 if the store was rewound }   { 'ended', code }   { 'gap', expected seq }   { 'limited', ms }   { 'stale' }
    { 'accepted', 1 if the poll is new, claimed messages, state (see include/bridge-state.lua) }
    { 'accepted', 1 if the poll is new, claimed messages }  the state is the known one, this exchange, and as frames the answers
    { 'changed' }  the answers are not the next frames, or a message before them is open; nothing was changed
    an error
]]
local instance, answerBytes, perSecond, burst = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local channels, lifeMs, here = ARGV[5], tonumber(ARGV[6]), identity()
local firstExchange, headWidth = 7, 8

local function exchange(session, outbox, at)
  local id, poll, ack, isLongPoll = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 3] == '1'
  local knownVersion, knownReceived = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  local messages, answers = tonumber(ARGV[at + 6]), tonumber(ARGV[at + 7])
  local firstAnswer = at + headWidth
  local firstMessage = firstAnswer + answers
  local lastMessage = firstMessage + 2 * messages - 2

  local s = readSession(session)
  if not s then return { 'missing', 0 } end
  if s.identity ~= here then return { 'missing', 1 } end
  if s.ended then return { 'ended', s.ended } end

  local first, last = 0, 0
  if messages > 0 then first, last = tonumber(ARGV[firstMessage]), tonumber(ARGV[lastMessage]) end
  local fresh = math.max(last - s.received, 0)
  local isNewPoll = poll > s.poll
  if not isNewPoll and fresh == 0 then return { 'stale' } end
  -- The client acknowledges a frame that this store never assigned, so the store was rewound (PROTOCOL §10.5): the session
  -- gets no identity of a store, and no step accepts it any more.
  if ack > s.sent then
    redis.call('HSET', session, 'identity', '')
    return { 'missing', 1 }
  end
  if first > s.received + 1 then return { 'gap', s.received + 1 } end

  -- Only a commit, which raises the version, and a claim, which raises received, add to the other parts.
  local isKnown = s.version == knownVersion and s.received == knownReceived and ack == s.sent
  if not isKnown then readParts(session, s) end
  if answers > 0 and not (isNewPoll and fresh == answers and ack == s.sent and #s.claims == 0) then return { 'changed' } end

  local bytesBefore = s.bytes
  -- Fields of the session and their new values, all written at once.
  local changes = {}
  local function change(name, value)
    changes[#changes + 1] = name
    changes[#changes + 1] = value
  end

  if perSecond > 0 then
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local interval = 1000 / perSecond
    local arrival = math.max(s.arrival, now)
    local next = arrival + interval * (fresh + (isNewPoll and 1 or 0))
    local wait = math.ceil(next - burst * 1000 - now)
    if wait > 0 and arrival > now then return { 'limited', wait } end
    change('arrival', string.format('%.3f', next))
  end

  if answers == 0 then
    for i = lastMessage - 2 * (fresh - 1), lastMessage, 2 do
      local seq, text = tonumber(ARGV[i]), ARGV[i + 1]
      change('c:' .. string.format('%d', seq), instance .. '\n' .. text)
      s.claims[#s.claims + 1] = { seq, instance }
    end
  end
  if fresh > 0 then
    s.received = last
    change('received', string.format('%d', last))
  end

  if ack > s.ack then
    if ack == s.sent then
      redis.call('DEL', outbox)
      s.bytes = 0
    else
      local done = ack - s.ack
      for _, frame in ipairs(redis.call('LRANGE', outbox, 0, done - 1)) do s.bytes = s.bytes - #frame end
      redis.call('LTRIM', outbox, done, -1)
    end
    s.ack = ack
    change('ack', string.format('%d', ack))
  end
  if answers > 0 then
    redis.call('RPUSH', outbox, unpack(ARGV, firstAnswer, firstMessage - 1))
    redis.call('PEXPIRE', outbox, lifeMs)
    for i = firstAnswer, firstMessage - 1 do s.bytes = s.bytes + #ARGV[i] end
    s.sent, s.version = s.sent + answers, s.version + 1
    change('sent', string.format('%d', s.sent))
    change('version', string.format('%d', s.version))
  end
  if s.bytes ~= bytesBefore then change('bytes', string.format('%d', s.bytes)) end

  if isNewPoll then
    change('poll', string.format('%d', poll))
    if isLongPoll and s.holder ~= instance then
      if s.holder then redis.call('PUBLISH', channels .. s.holder, 'superseded ' .. id) end
      change('holder', instance)
    end
  end

  for _, claim in ipairs(s.claims) do
    if claim[2] ~= instance then
      change('waiters', addWaiter(s.waiters, instance))
      break
    end
  end
  if #changes > 0 then redis.call('HSET', session, unpack(changes)) end

  local claimed = answers > 0 and 0 or fresh
  if isKnown then return { 'accepted', isNewPoll and 1 or 0, claimed } end
  local state
  state, answerBytes = stateOf(s, outbox, answerBytes)
  return { 'accepted', isNewPoll and 1 or 0, claimed, state }
end

if not KEYS[3] then return exchange(KEYS[1], KEYS[2], firstExchange) end
local replies, at = {}, firstExchange
for i = 1, #KEYS, 2 do
  local isDone, reply = pcall(exchange, KEYS[i], KEYS[i + 1], at)
  if not isDone then
    reply = type(reply) == 'table' and reply or { err = reply }
    -- READONLY refuses every write, and only the error of a whole script makes a gateway connect again.
    if string.find(reply.err, '^READONLY') then return reply end
  end
  replies[#replies + 1] = reply
  at = at + headWidth + 2 * ARGV[at + 6] + ARGV[at + 7]
end
return replies
