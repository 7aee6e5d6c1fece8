--[[
Reads a record, if the store is the expected one.
Input
  KEYS[1]  the identity record   KEYS[2]  the record   KEYS[3]  the index of its kind
  ARGV[1]  required prefix of the identity, '' for any   ARGV[2]  id
Output
  { 0 } another store   { 1, record } found   { 2 } listed, but missing   { 3 } unknown
  { 4, record } found, but not listed
]]
local identity, record, index = KEYS[1], KEYS[2], KEYS[3]
local start, id = ARGV[1], ARGV[2]

if start ~= '' and not string.find(redis.call('GET', identity) or '', '\n' .. start, 1, true) then return { 0 } end
local stored = redis.call('GET', record)
-- Always read, so that unknown records take the same time.
local listed = redis.call('ZSCORE', index, id)
if stored then return { listed and 1 or 4, stored } end
return { listed and 2 or 3 }
