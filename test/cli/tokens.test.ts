import t from 'tap'
import { startCommands } from './helper.js'

const { good, json, bad } = await startCommands(t)

t.test('tokens and tickets', async t => {
  t.match(await bad(t, 2, ['tokens', 'create', 'shop', '--scopes', 'tickets,root']), /"root" is none of admin, publish/)
  const made = await json(t, [
    'tokens',
    'create',
    'shop',
    '--scopes',
    'tickets',
    '--clients',
    'web-*',
    '--services',
    's-*'
  ])
  t.match(made, { name: 'shop', scopes: ['tickets'], clients: ['web-*'] })
  t.match(await good(t, ['tokens', 'list']), new RegExp(`${made.tokenId} +shop +tickets +web-\\*`))
  t.notMatch(await good(t, ['tokens', 'list', '--json']), made.token)

  const backend = { env: { COUNTERSIGN_ADMIN_TOKEN: made.token } }
  t.match(await json(t, ['tickets', 'create', 'web-1', '--ttl', '10m', '--services', 's-1'], backend), {
    clientId: 'web-1',
    secret: String
  })
  t.match(
    await bad(t, 1, ['tickets', 'create', 'game-1'], backend),
    /the clients patterns of this token do not match game-1/
  )
  t.match(await bad(t, 1, ['clients', 'list'], backend), /PERMISSION_DENIED/)
  await good(t, ['tokens', 'delete', made.tokenId])
  const refused = await bad(t, 1, ['tickets', 'create', 'web-1'], backend)
  t.match(refused, /does not accept the token from COUNTERSIGN_ADMIN_TOKEN/)
  t.notMatch(refused, made.token)
})
