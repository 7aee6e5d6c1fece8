import { spawnSync } from 'node:child_process'
import t from 'tap'

t.test('all Luau files parse and are formatted with StyLua', async t => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/format-luau.mjs', '--check'], {
    encoding: 'utf8'
  })
  t.equal(stderr, '', 'run: npm run format:luau')
  t.match(stdout, /^[1-9]\d* Luau files, 0 wrong$/m)
  t.equal(status, 0)
})
