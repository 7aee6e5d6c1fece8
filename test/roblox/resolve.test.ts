import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { resolveRequire } from './runtime/resolve.mjs'

t.test('resolves require paths as Luau does', async t => {
  const root = relative('.', t.testdir())
  for (const name of ['a.luau', 'b.lua', 'lib/init.luau', 'lib/part.luau', 'both.luau', 'both/init.luau', '.luaurc']) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), name === '.luaurc' ? '{"aliases":{"shared":"./lib"}}' : 'return 1')
  }
  const from = (file: string, path: string): string => relative(root, resolveRequire(join(root, file), path))

  t.equal(from('a.luau', './b'), 'b.lua')
  t.equal(from('a.luau', './lib'), 'lib/init.luau')
  t.equal(from('lib/part.luau', '../a'), 'a.luau')
  t.equal(from('lib/init.luau', './a'), 'a.luau', 'an init file represents its folder')
  t.equal(from('lib/init.luau', '@self/part'), 'lib/part.luau')
  t.equal(from('lib/init.luau', '@shared/part'), 'lib/part.luau')
  t.throws(() => from('a.luau', './missing'), /no file/)
  t.throws(() => from('a.luau', './both'), /ambiguous/)
  t.throws(() => from('a.luau', 'b'), /must begin with/)
  t.throws(() => from('a.luau', '@other/b'), /no such alias/)
})
