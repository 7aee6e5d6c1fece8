import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readAdminTokenFile, readMasterKeyFile } from '../../src/cli/first-start.js'
import { ConfigError } from '../../src/config/load.js'
import { tempDir } from '../helper/process.js'
import { mountSmallDisk } from '../helper/small-disk.js'

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

  t.test(`a ${name} that is not a file, or far too large, is refused`, async t => {
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

/** Reads the master key of a folder as another user; only root can. */
function readAs(uid: number, folder: string): string[] {
  const lines: string[] = []
  process.setegid?.(uid)
  process.seteuid?.(uid)
  try {
    readMasterKeyFile(folder, line => lines.push(line))
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
  }
  return lines
}

const isRoot = process.platform !== 'win32' && process.getuid?.() === 0
const skip = isRoot ? false : 'only root can act as another user'

function folderWithKey(t: Test, mode: number): { folder: string; key: string } {
  const folder = tempDir(t)
  readMasterKeyFile(folder)
  chmodSync(folder, 0o755)
  const key = join(folder, 'master.key')
  chmodSync(key, mode)
  return { folder, key }
}

t.test('bug: a master key of another user that others can only read refused the start', { skip }, async t => {
  const { folder, key } = folderWithKey(t, 0o644)
  t.match(readAs(65_534, folder), [/^others can read .* \(mode 0644, of user 0\), .* \(EPERM\): run chmod 600 /])
  t.equal(modeOf(key), 0o644)
})

t.test('a master key of another user that others can change is refused', { skip }, async t => {
  const { folder } = folderWithKey(t, 0o646)
  t.throws(() => readAs(65_534, folder), { name: 'ConfigError', message: /others can change .*: run chmod 600 / })
})

t.test('bug: a Kubernetes secret with fsGroup, root:1000 0440, refused the start of user 1000', { skip }, async t => {
  const { folder, key } = folderWithKey(t, 0o440)
  chownSync(key, 0, 1000)
  t.same(readAs(1000, folder), [], 'its owner lets this group read it')
})

t.test(
  'the folder of another user that others can change is left, with the command that closes it',
  { skip },
  async t => {
    const { folder } = folderWithKey(t, 0o644)
    chmodSync(folder, 0o777)
    t.match(readAs(65_534, folder), [
      /others can change files in .* \(mode 0777\), the master key included: run chmod 700 /,
      /others can read /
    ])
  }
)

const disk = mountSmallDisk(t, 1)

t.test(
  'bug: a master key on a read-only mount refused the start with EROFS',
  { skip: typeof disk === 'string' ? disk : false },
  async t => {
    if (typeof disk === 'string') return
    const { folder } = disk
    const key = join(folder, 'master.key')
    readMasterKeyFile(folder)
    const readReadOnly = (mode: number) => {
      execFileSync('mount', ['-o', 'remount,rw', folder])
      chmodSync(key, mode)
      execFileSync('mount', ['-o', 'remount,ro', folder])
      const lines: string[] = []
      readMasterKeyFile(folder, line => lines.push(line))
      return lines
    }
    t.match(readReadOnly(0o644), [/^others can read .* \(EROFS\): run chmod 600 .*, or mount it with mode 0400/])
    t.same(readReadOnly(0o440), [])
    t.throws(() => readReadOnly(0o666), { name: 'ConfigError', message: /others can change .* \(EROFS\)/ })
  }
)

for (const [name, read] of Object.entries(files)) {
  t.test(`bug: a ${name} that is a symlink closed what it leads to`, async t => {
    const [folder, other] = [tempDir(t), tempDir(t)]
    const secret = read(other)
    const victim = join(other, name)
    symlinkSync(victim, join(folder, name))
    const readLinked = (mode: number) => {
      chmodSync(victim, mode)
      const lines: string[] = []
      t.same(
        read(folder, line => lines.push(line)),
        secret,
        'reading through it works'
      )
      return lines
    }
    t.same(readLinked(0o600), [])
    t.match(readLinked(0o644), [/^others can read .* \(it is a symlink\): /])
    t.throws(() => readLinked(0o666), { name: 'ConfigError', message: /others can change .* \(it is a symlink\)/ })
    t.equal(modeOf(victim), 0o666)
    t.ok(lstatSync(join(folder, name)).isSymbolicLink())
  })
}

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
