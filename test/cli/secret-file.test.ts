import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readAdminTokenFile, readMasterKeyFile } from '../../src/cli/first-start.js'
import { ConfigError } from '../../src/config/load.js'
import { tempDir } from '../helper/process.js'

/** Secrets in the data folder, where others may have made files before. */

const modeOf = (path: string) => statSync(path).mode & 0o777

const files = { 'master.key': readMasterKeyFile, 'admin.token': readAdminTokenFile }

for (const [name, read] of Object.entries(files)) {
  t.test(`bug: a ${name}.new that others made keeps its mode or is a way out of the folder`, async t => {
    const folder = tempDir(t)
    const outside = join(tempDir(t), 'outside')
    writeFileSync(outside, 'precious', { mode: 0o666 })
    const prepare: Record<string, (path: string) => void> = {
      'a file of mode 0666': path => {
        writeFileSync(path, 'left')
        chmodSync(path, 0o666)
      },
      'a symlink to a file': path => symlinkSync(outside, path),
      'a symlink to nothing': path => symlinkSync(`${outside}-none`, path)
    }
    for (const [what, make] of Object.entries(prepare)) {
      const dir = join(folder, what)
      mkdirSync(dir)
      make(join(dir, `${name}.new`))
      const lines: string[] = []
      const first = read(dir, line => lines.push(line))
      t.match(lines, [/^removed .*\.new: /], what)
      t.equal(modeOf(join(dir, name)), 0o600, what)
      t.ok(lstatSync(join(dir, name)).isFile(), what)
      t.same(
        read(dir, line => lines.push(line)),
        first,
        'the same secret at the next start'
      )
      t.equal(lines.length, 1, 'no further line')
      t.notOk(existsSync(join(dir, `${name}.new`)))
    }
    t.equal(readFileSync(outside, 'utf8'), 'precious')
    t.notOk(existsSync(`${outside}-none`))
  })

  t.test(`a ${name}.new that cannot be removed stops the start with one line`, async t => {
    const folder = tempDir(t)
    mkdirSync(join(folder, `${name}.new`))
    t.throws(() => read(folder, () => {}), { name: 'ConfigError', message: /is in the way and cannot be removed/ })
    t.notOk(existsSync(join(folder, name)))
  })

  t.test(`a ${name} that others could read is closed to them, with a line`, async t => {
    const folder = tempDir(t)
    const first = read(folder)
    for (const mode of [0o644, 0o640, 0o666]) {
      chmodSync(join(folder, name), mode)
      const lines: string[] = []
      t.same(
        read(folder, line => lines.push(line)),
        first
      )
      t.match(lines, [
        new RegExp(`others could access .*${name} \\(mode 0${mode.toString(8)}\\): it has mode 0600 now`)
      ])
      t.equal(modeOf(join(folder, name)), 0o600)
    }
  })

  t.test(`a ${name} that is no file, or far too large, is refused`, async t => {
    const folder = tempDir(t)
    mkdirSync(join(folder, name))
    t.throws(() => read(folder, () => {}), ConfigError)
    const other = tempDir(t)
    writeFileSync(join(other, name), 'x'.repeat(65_537), { mode: 0o600 })
    t.throws(() => read(other, () => {}), { message: /65537 bytes; the limit is 65536/ })
  })
}

t.test('the data folder is made with mode 0700, and closed when others can write to it', async t => {
  const folder = join(tempDir(t), 'new', 'data')
  readMasterKeyFile(folder, () => t.fail('no line'))
  t.equal(modeOf(folder), 0o700)
  chmodSync(folder, 0o777)
  const lines: string[] = []
  readMasterKeyFile(folder, line => lines.push(line))
  t.match(lines, [/others could change files in .* \(mode 0777\): it is now closed to them/])
  t.equal(modeOf(folder), 0o755)
})

t.test('a file of another user that others can read is refused, with the command that closes it', async t => {
  if (process.getuid?.() !== 0 || process.seteuid === undefined) {
    t.pass('only root can act as another user')
    return
  }
  const folder = tempDir(t)
  readMasterKeyFile(folder)
  chmodSync(folder, 0o777)
  chmodSync(join(folder, 'master.key'), 0o644)
  const lines: string[] = []
  process.seteuid(65_534)
  try {
    t.throws(() => readMasterKeyFile(folder, line => lines.push(line)), {
      name: 'ConfigError',
      message: new RegExp(`others can access .* \\(mode 0644, of user 0\\): run chmod 600 ${folder}/master.key`)
    })
  } finally {
    process.seteuid(0)
  }
  t.match(lines, [/others can change files in .* \(mode 0777\), the master key included: run chmod 700 /])
})

t.test('without a receiver of warnings no mode is changed: doctor changes nothing', async t => {
  const folder = tempDir(t)
  readMasterKeyFile(folder)
  chmodSync(join(folder, 'master.key'), 0o644)
  readMasterKeyFile(folder)
  chmodSync(folder, 0o777)
  readMasterKeyFile(folder)
  t.equal(modeOf(join(folder, 'master.key')), 0o644)
  t.equal(modeOf(folder), 0o777)
})
