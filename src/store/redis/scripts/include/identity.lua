--[[
The fence (PROTOCOL §10.5): tells this server from the one it was before a restart, a rewind or a promotion. What is
kept with an identity is good only while `identity()` still gives the same; a script that finds another begins anew.

  local here = identity()   -- 1 to 40 characters, never ''

Redis' replication id is new whenever a server starts, whatever it loads, and whenever a replica takes over. Where INFO
is hidden from us (an ACL, a renamed command) it is a random word that every gateway renews with each connection that it
makes, before anything else on it: a server that was rewound had lost its connections. That word lies in one slot, so a
Cluster must show us INFO. Where there is neither, this fails, and with it the script.
]]
local function identity()
  local info = redis.pcall('INFO', 'replication')
  local id = type(info) == 'string' and string.match(info, 'master_replid:(%x+)')
  if id then return string.sub(id, 1, 16) end
  return redis.call('GET', 'cs:generation') or error('no identity: INFO is hidden, and cs:generation is not there')
end
