import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { settingsSchema } from '../../src/config/schema.js'
import { tempDir } from '../helper/process.js'
import { cli } from './io.js'

t.test('shows each value with its origin, and no secret', async t => {
  const cwd = tempDir(t)
  writeFileSync(join(cwd, '.env'), 'COUNTERSIGN_PORT=1111\nCOUNTERSIGN_HOST=10.0.0.1\nCOUNTERSIGN_LOG_LEVEL=warn\n')
  const back = process.cwd()
  process.chdir(cwd)
  t.teardown(() => process.chdir(back))
  const secrets = {
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 9).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: 'x'.repeat(40)
  }
  const options = {
    env: { ...secrets, COUNTERSIGN_HOST: '10.0.0.2', COUNTERSIGN_PORT: '2222', COUNTERSIGN_STORE: 'redis://u:hidden@h' }
  }
  const shown = await cli(['config', '--port', '3333'], options)
  t.equal(shown.code, 0)
  t.match(shown.out, /^COUNTERSIGN_PORT +3333 +flag$/m)
  t.match(shown.out, /^COUNTERSIGN_HOST +10\.0\.0\.2 +environment$/m)
  t.match(shown.out, /^COUNTERSIGN_LOG_LEVEL +warn +\.env$/m)
  t.match(shown.out, /^COUNTERSIGN_DRAIN_SECONDS +10 +default$/m)
  t.match(shown.out, /^COUNTERSIGN_STORE +redis:\/\/\*\*\*@h +environment$/m)
  for (const secret of [...Object.values(secrets), 'hidden']) t.notMatch(shown.out + shown.err, secret)
  const { settings, faults } = JSON.parse((await cli(['config', '--json'], options)).out)
  t.same(
    settings.map(({ name }: { name: string }) => name),
    Object.keys(settingsSchema.properties)
  )
  t.same(faults, [])

  const wrong = await cli(['config', '--port', 'x'], { env: { COUNTERSIGN_PROT: '1' } })
  t.equal(wrong.code, 1)
  t.match(wrong.err, /2 faults:[\s\S]+COUNTERSIGN_PROT[\s\S]+COUNTERSIGN_PORT/)
  const odd = { env: { COUNTERSIGN_STORE: 'redis+x://u:hidden@h' } }
  for (const name of ['config', 'doctor']) {
    const { code, out, err } = await cli([name], odd)
    t.equal(code, 1)
    t.match(out + err, '(hidden: not a valid URL)')
    t.notMatch(out + err, 'hidden@h')
  }
  t.equal((await cli(['config', '--dance'])).code, 1, 'the same code as a wrong setting')
})

t.test('an option wins over the environment, and a wrong option is a failure', async t => {
  const env = { COUNTERSIGN_PORT: '2', COUNTERSIGN_LOG_LEVEL: 'warn' }
  const { settings } = JSON.parse((await cli(['config', '--port', '1', '--data-dir=/x', '--json'], { env })).out)
  const values = Object.fromEntries(settings.map((each: { name: string; value: unknown }) => [each.name, each.value]))
  t.match(values, { COUNTERSIGN_PORT: '1', COUNTERSIGN_DATA_DIR: '/x', COUNTERSIGN_LOG_LEVEL: 'warn' })
  t.match(await cli(['config', '--prot', '1']), { code: 1, err: /unknown option '--prot' \(Did you mean --port\?\)/ })
  t.match(await cli(['config', 'extra']), { code: 1, err: /too many arguments/ })
  t.match(await cli(['config', '--port']), { code: 1, err: /'--port <value>' needs a value/ })
})

t.test('config, doctor and serve print no password of a store, even if its URL does not parse', async t => {
  const stores = [
    'redis://:hunter2/y@127.0.0.1:1',
    'redis:/:hunter2@h',
    ':hunter2@h:1',
    'redis://127.0.0.1:1?password=hunter2'
  ]
  for (const store of stores) {
    for (const args of [
      ['config'],
      ['config', '--json'],
      ['doctor'],
      ['serve', '--port', 'x'],
      ['config', '--host', store]
    ]) {
      const { out, err } = await cli(args, { env: { COUNTERSIGN_STORE: store } })
      t.notMatch(out + err, 'hunter2', `${args.join(' ')} with ${store}`)
    }
  }
})

t.test('a line of .env that is not NAME=value stops every command, with all other faults at once', async t => {
  const cwd = tempDir(t)
  writeFileSync(
    join(cwd, '.env'),
    '// production\nCOUNTERSIGN_STORE=redis://10.0.0.1:6379\nCOUNTERSIGN_PORT: hunter2\n'
  )
  const back = process.cwd()
  process.chdir(cwd)
  t.teardown(() => process.chdir(back))
  for (const name of ['serve', 'config', 'doctor']) {
    const { code, out, err } = await cli([name], { env: { COUNTERSIGN_PROT: '1' } })
    t.equal(code, 1, name)
    const faults =
      /\.env line 1: the line is not NAME=value[\s\S]+\.env line 3: COUNTERSIGN_PORT: [\s\S]+PROT[\s\S]+MASTER_KEY/
    t.match(out + err, faults, name)
    t.notMatch(out + err, 'hunter2')
  }
  const sent: unknown[] = []
  const fake: typeof fetch = async input => new Response(String(sent.push(input)))
  t.match(await cli(['clients', 'list', '--token', 'x'.repeat(40)], { fetch: fake }), { code: 1, err: /\.env line 1/ })
  t.same(sent, [])
})
