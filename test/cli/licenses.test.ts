import t from 'tap'
import { startCommands } from './helper.js'

const { ask, good, json, bad } = await startCommands(t)

t.test('licenses', async t => {
  const args = ['licenses', 'create', 'shop', '--max-hwids', '2', '--max-sessions', '3', '--expires-at', '2030-01-31']
  const { licenseId, ...made } = await json(t, args)
  t.match(made, { key: String, maxHwids: 2, maxSessions: 3, expiresAt: '2030-01-31T00:00:00.000Z' })
  const typed = await ask(['licenses', 'create', 'shop', '--key', '-'], { stdin: 'FROM-STDIN\nrest\n' })
  t.match(typed.out, /^key: FROM-STDIN$/m)
  t.match(typed.err, /Keep the key/)
  t.notMatch(typed.err, 'FROM-STDIN')
  t.match(await bad(t, 1, ['licenses', 'create', 'shop', '--key', 'FROM-STDIN']), /has a license with this key/)

  t.match(
    await good(t, ['licenses', 'list']),
    /^LICENSE +SERVICE +STATUS +HWIDS.+\n(?:.+\n)*lic_\w+ +shop +active +0\/2 +3 +- +2030-01-31T00:00:00Z/
  )
  t.match(
    await json(t, [
      'licenses',
      'update',
      licenseId,
      '--max-sessions',
      'none',
      '--expires-at',
      'none',
      '--max-hwids',
      '5'
    ]),
    { maxHwids: 5, maxSessions: undefined, expiresAt: undefined }
  )
  t.match(await json(t, ['licenses', 'suspend', licenseId]), { status: 'suspended' })
  t.match(await json(t, ['licenses', 'resume', licenseId]), { status: 'active' })
  t.match(await json(t, ['licenses', 'ban', licenseId, 'PC/7 é']), { bannedHwids: ['PC/7 é'] })
  t.match(await json(t, ['licenses', 'unban', licenseId, 'PC/7 é']), { bannedHwids: [] })
  t.match(await good(t, ['licenses', 'reset', licenseId]), /every hardware id is unbound/)
  t.match(await bad(t, 1, ['licenses', 'reset', licenseId, 'PC-9']), /not bound/)
  t.match(
    await bad(t, 1, ['licenses', 'reset', licenseId, '..']),
    /cannot be part of an address/,
    'not the license itself'
  )
  t.match(await json(t, ['licenses', 'revoke', licenseId]), { status: 'revoked' })
  t.match(await good(t, ['licenses', 'show', licenseId]), /^status +revoked$/m)
  await good(t, ['licenses', 'delete', licenseId])
  await bad(t, 1, ['licenses', 'show', licenseId])
})
