import { mkdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openEmbeddedStore } from '../../src/store/embedded/index.js'
import { run, runGateway } from '../helper/process.js'
import { mountSmallDisk } from '../helper/small-disk.js'

/** `countersign serve` where there is too little space to start. */

const disk = mountSmallDisk(t, 8)
const skip = typeof disk === 'string' ? disk : false
const kib = 1024

function serveOn(folder: string) {
  return run(t, ['serve'], { COUNTERSIGN_PORT: '0', COUNTERSIGN_DATA_DIR: folder, COUNTERSIGN_LOG_LEVEL: 'fatal' })
}

t.test('bug: a first start on a full disk ended with a signal, a stack or a word about Redis', { skip }, async t => {
  if (typeof disk === 'string') return
  const folder = join(disk.folder, 'first')
  mkdirSync(folder)
  for (const freeKib of [0, 4, 8, 12, 40, 900]) {
    disk.fill()
    const ballast = join(disk.folder, 'ballast')
    truncateSync(ballast, statSync(ballast).size - freeKib * kib)
    const failed = serveOn(folder)
    t.match(await failed.ended, { code: 1, signal: null }, `${freeKib} KiB free`)
    t.match(failed.stderr(), /(^|\n)countersign: the data folder's disk is full: free at least 1 MiB\n$/)
    disk.free()
  }
  const gateway = await runGateway(t, folder)
  t.equal((await fetch(`${gateway.url}/readyz`)).status, 200)
  gateway.child.kill('SIGTERM')
  await gateway.ended
})

t.test('bug: an embedded store without space for the first records blamed Redis', { skip }, async t => {
  if (typeof disk === 'string') return
  const folder = join(disk.folder, 'empty')
  // The databases are there, the records of the first start are not: and these need the space.
  await openEmbeddedStore(folder, Date.now).close()
  disk.fill()
  const failed = serveOn(folder)
  t.match(await failed.ended, { code: 1, signal: null })
  t.match(failed.stderr(), /(^|\n)countersign: could not start: the data folder's disk is full: free at least 2 MiB\n$/)
  disk.free()
})

t.test('a gateway with data starts on a full disk, alive and not ready', { skip }, async t => {
  if (typeof disk === 'string') return
  const folder = join(disk.folder, 'full')
  const first = await runGateway(t, folder)
  first.child.kill('SIGTERM')
  await first.ended
  truncateSync(join(folder, 'countersign.mdb.reserve'), 0)
  disk.fill()
  const gateway = await runGateway(t, folder)
  t.equal((await fetch(`${gateway.url}/livez`)).status, 200)
  const ready = await fetch(`${gateway.url}/readyz`)
  t.equal(ready.status, 503)
  t.match(await ready.json(), { checks: { store: "the data folder's disk is full" } })
  disk.free()
  gateway.child.kill('SIGTERM')
  await gateway.ended
})
