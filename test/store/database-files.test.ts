import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { reserveBytes } from '../../src/store/embedded/disk-reserve.js'
import { openEmbeddedStore } from '../../src/store/embedded/index.js'
import { tempDir } from '../helper/process.js'
import { mountSmallDisk } from '../helper/small-disk.js'

/** Files that LMDB would not survive, or would write through. */

const open = (folder: string) => openEmbeddedStore(folder, Date.now)
const names = ['countersign.mdb', 'countersign.mdb-lock', 'countersign.mdb.reserve', 'countersign.lock']

for (const name of names) {
  t.test(`bug: a ${name} that is a symlink was followed, and its target closed or overwritten`, async t => {
    const [folder, victim] = [tempDir(t), join(tempDir(t), 'victim')]
    writeFileSync(victim, 'precious')
    chmodSync(victim, 0o644)
    for (const target of [victim, `${victim}-none`]) {
      symlinkSync(target, join(folder, name))
      t.throws(() => open(folder), { name: 'DataDirUnusable', message: new RegExp(`${name} is a symlink: `) })
      t.ok(lstatSync(join(folder, name)).isSymbolicLink())
      rmSync(join(folder, name))
    }
    t.equal(readFileSync(victim, 'utf8'), 'precious')
    t.equal(statSync(victim).mode & 0o777, 0o644)
    t.notOk(existsSync(`${victim}-none`))
    mkdirSync(join(folder, name))
    t.throws(() => open(folder), { name: 'DataDirUnusable', message: /is no regular file/ })
    rmSync(join(folder, name), { recursive: true })
    await open(folder).close()
  })
}

t.test('bug: a countersign.mdb of zeros, as a full disk leaves it, ended every start with SIGSEGV', async t => {
  const folder = tempDir(t)
  const path = join(folder, 'countersign.mdb')
  await open(folder).close()
  const good = readFileSync(path)
  const pageBytes = good.readUInt32LE(48)
  const bad = {
    'a page of zeros': Buffer.alloc(pageBytes),
    'two pages of zeros': Buffer.alloc(2 * pageBytes),
    'a few bytes': Buffer.from('x'),
    'its first page only': good.subarray(0, pageBytes),
    'a second page of zeros': Buffer.concat([good.subarray(0, pageBytes), Buffer.alloc(pageBytes)])
  }
  for (const [what, bytes] of Object.entries(bad)) {
    writeFileSync(path, bytes)
    t.throws(() => open(folder), { name: 'DataDirUnusable', message: /restore it from a backup, or remove it/ }, what)
    t.ok(readFileSync(path).equals(bytes), 'it is left as it is')
  }
  writeFileSync(path, good)
  await open(folder).close()
  writeFileSync(path, '')
  await open(folder).close()
})

t.test('the files are closed to others, and a partial reserve is made again', async t => {
  const folder = tempDir(t)
  await open(folder).close()
  const paths = names.slice(0, 3).map(name => join(folder, name))
  for (const path of paths) t.equal(statSync(path).mode & 0o777, 0o600)
  for (const path of paths.slice(0, 2)) chmodSync(path, 0o666)
  writeFileSync(join(folder, 'countersign.mdb.reserve'), 'part')
  await open(folder).close()
  for (const path of paths) t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(statSync(join(folder, 'countersign.mdb.reserve')).size, reserveBytes)
})

const disk = mountSmallDisk(t, 4)

t.test(
  'bug: a start that must make the database or its lock ended with a signal on a full disk',
  { skip: typeof disk === 'string' ? disk : false },
  async t => {
    if (typeof disk === 'string') return
    const full = { name: 'DataDirUnusable', message: "the data folder's disk is full: free at least 1 MiB" }
    const folder = join(disk.folder, 'data')
    mkdirSync(folder)
    disk.fill()
    t.throws(() => open(folder), full, 'a first start')
    t.throws(() => open(folder), full, 'the next one')
    disk.free()
    await open(folder).close()
    for (const name of names.slice(0, 2)) {
      const path = join(folder, name)
      const bytes = readFileSync(path)
      rmSync(path)
      disk.fill()
      t.throws(() => open(folder), full, `without ${name}`)
      disk.free()
      writeFileSync(path, bytes)
    }
    disk.fill()
    await open(folder).close()
  }
)
