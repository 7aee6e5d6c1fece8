--[[
The fence (PROTOCOL §10.5): distinguishes this server from its state before a restart, a rewind or a promotion. Data that
was written under another identity is no longer valid, and the script begins again.

  local here = identity()   -- 1 to 40 characters, never ''

The identity is Redis' replication id, which changes whenever a server starts, whatever data it loads, and whenever a
replica is promoted. Where INFO is hidden (an ACL, a renamed command) it is a random value that every gateway renews on
each new connection, before any other command: a server that was rewound had lost its connections. That value is in one
slot, so a Cluster must permit INFO. Without either, the script fails.
]]
local function identity()
  local info = redis.pcall('INFO', 'replication')
  local at = type(info) == 'string' and string.find(info, 'master_replid:', 1, true)
  if at then return string.sub(info, at + 14, at + 29) end
  return redis.call('GET', 'cs:generation') or error('no identity: INFO is hidden, and cs:generation is not there')
end
