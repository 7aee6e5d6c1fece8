-- include identity
-- include bridge-state
--[[
Reads the state of a bridge session.
Input
  KEYS[1]  the session   KEYS[2]  its outbox
  ARGV[1]  bytes of frames to return
Output
  { } unknown or ended   { state } (see include/bridge-state.lua)
]]
local session, outbox = KEYS[1], KEYS[2]
local answerBytes = tonumber(ARGV[1])

local s = readSession(session)
if not s or s.ended or s.identity ~= identity() then return {} end
readParts(session, s)
local state = stateOf(s, outbox, answerBytes)
return { state }
