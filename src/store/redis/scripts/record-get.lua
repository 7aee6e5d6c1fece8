--[[
Reads a record of the store that the caller expects.
Input
  KEYS[1]  the identity record   KEYS[2]  the record   KEYS[3]  the index of its kind
  ARGV[1]  what the identity begins with, '' for any   ARGV[2]  id
Output
  { 0 } another store   { 1, record } found   { 2 } listed, but not there   { 3 } unknown
  { 4, record } found, but not listed
]]
local identity, record, index = KEYS[1], KEYS[2], KEYS[3]
local start, id = ARGV[1], ARGV[2]

if start ~= '' and not string.find(redis.call('GET', identity) or '', '\n' .. start, 1, true) then return { 0 } end
local stored = redis.call('GET', record)
-- Read in any case, so that a record that is unknown costs the same time.
local listed = redis.call('ZSCORE', index, id)
if stored then return { listed and 1 or 4, stored } end
return { listed and 2 or 3 }
