-- The identity of this server's data (the fence, PROTOCOL §10.5): `master_replid` is another one after a restart, after
-- a restore of an older snapshot and on a promoted replica, so what was written under another identity may be rewound.
local function identity()
  local info = redis.call('INFO', 'replication')
  return string.match(info, 'master_replid:(%x+)') or 'unknown'
end
