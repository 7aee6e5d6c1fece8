-- include identity
-- include bridge-state
--[[
A session of the bridge as it is.
Input
  KEYS[1]  the session   KEYS[2]  its outbox
  ARGV[1]  bytes of frames to return
Output
  { } missing or over   { state } (see include/bridge-state.lua)
]]
local session, outbox = KEYS[1], KEYS[2]
local answerBytes = tonumber(ARGV[1])

local s = readSession(session)
if not s or s.ended or s.identity ~= identity() then return {} end
return { stateOf(s, outbox, answerBytes) }
