import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { tempDir } from '../helper/process.js'
import { startCommands } from './helper.js'

const { ask, good, json, bad } = await startCommands(t)

t.test('clients', async t => {
  const made = await ask(['clients', 'create', 'game-1', '--services', 'shop-*,vault', '--attribute', 'team=blue'])
  t.equal(made.code, 0)
  const secret = /^secret: (cs_\S+)$/m.exec(made.out)?.[1]
  t.ok(secret, 'the secret is on stdout')
  t.match(made.err, /shown only this once/)
  t.notOk(made.err.includes(secret ?? '?'), 'and not on stderr')
  t.match(made.out, /^services +shop-\*,vault$/m)
  t.match(made.out, /^createdAt +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m, 'short times')

  t.match(
    await bad(t, 1, ['clients', 'create', 'game-1']),
    /^countersign: the client game-1 exists already \(CONFLICT\)\n$/
  )
  t.match(await json(t, ['clients', 'create', 'game-2']), { clientId: 'game-2', secret: /^cs_/ })
  await good(t, ['clients', 'create'])

  t.match(
    await good(t, ['clients', 'list']),
    /^CLIENT +STATUS[^\n]+\n(?:.+\n)*game-1 +active +1 +- +- +shop-\*,vault +- +team=blue\n/
  )
  const page = await ask(['clients', 'list', '--limit', '2'])
  t.match(page.err, /there is more: --after \S+, or --all/)
  t.match(await json(t, ['clients', 'list', '--limit', '1']), { items: [{}], next: String })
  t.equal((await json(t, ['clients', 'list', '--all'])).length, 3)
  t.match(await good(t, ['clients', 'list', '--all']), /game-2/)

  t.match(await good(t, ['clients', 'show', 'game-1']), /^status +active$/m)
  t.match(await json(t, ['clients', 'update', 'game-1', '--services', '', '--publish', 'a', '--publish', 'b']), {
    services: [],
    publish: ['a', 'b']
  })
  t.match(await bad(t, 2, ['clients', 'update', 'game-1']), /nothing to change/)
  t.match(await json(t, ['clients', 'suspend', 'game-1']), { status: 'suspended' })
  t.match(await json(t, ['clients', 'resume', 'game-1']), { status: 'active' })
  await good(t, ['clients', 'delete', 'game-2'])
  t.match(await bad(t, 1, ['clients', 'show', 'game-2']), 'there is no client game-2 (NOT_FOUND)')
})

t.test('saves a credential to a new file', async t => {
  const file = join(tempDir(t), 'saved.json')
  const out = await good(t, ['clients', 'create', 'saved', '--save', file])
  t.equal(statSync(file).mode & 0o777, 0o600)
  const { secret } = JSON.parse(readFileSync(file, 'utf8'))
  t.match(secret, /^cs_/)
  t.notOk(out.includes(secret), 'and is not shown')

  t.match(await bad(t, 1, ['clients', 'create', 'other', '--save', file]), /exists: name a new file/)
  await bad(t, 1, ['clients', 'show', 'other'])
  const unused = `${file}.2`
  await bad(t, 1, ['clients', 'create', 'saved', '--save', unused])
  t.notOk(existsSync(unused), 'a refusal leaves no file')
})

t.test('keys', async t => {
  const first = await json(t, ['clients', 'create', 'rotating'])
  t.match(
    await bad(t, 2, ['keys', 'create', 'rotating']),
    /required option '--overlap <seconds>' not specified: How long/
  )
  t.match(await bad(t, 2, ['keys', 'create', 'rotating', '--overlap', '31d']), /must be from 0 to 2592000/)
  const out = await good(t, ['keys', 'create', 'rotating', '--overlap', '1h'])
  t.match(out, /^previousExpiresAt/m)
  t.match(out, /^secret: cs_/m)
  t.match(await bad(t, 1, ['keys', 'create', 'rotating', '--overlap', '60']), /use force/)
  const next = await json(t, ['keys', 'create', 'rotating', '--overlap', '60', '--force'])
  t.match(await good(t, ['keys', 'list', 'rotating']), new RegExp(`^KEY +CREATED[^\\n]+\\n(?:.+\\n)*${first.keyId}`))
  await good(t, ['keys', 'revoke', 'rotating', first.keyId])
  const keys = await json(t, ['keys', 'list', 'rotating'])
  t.equal(keys.length, 3)
  t.notMatch(JSON.stringify(keys), next.secret)
  t.match(await bad(t, 1, ['keys', 'revoke', 'rotating', 'k_none']), /NOT_FOUND/)
})
