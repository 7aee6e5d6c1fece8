import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type HistoryBounds, idempotencyLifeMs, type Position } from '../../src/store/channels.js'
import { openEmbeddedStore } from '../../src/store/embedded/index.js'
import type { Store } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { tempDir } from '../helper/process.js'
import { until } from '../helper/until.js'
import { publish } from './channel-helpers.js'

/** Data that the embedded store keeps over a restart besides records: channels with their histories, and tickets. */

interface Folder {
  readonly dir: string
  readonly clock: ReturnType<typeof createClock>
  open(history?: HistoryBounds): Store
}

function createFolder(t: Test, dir = tempDir(t)): Folder {
  const clock = createClock()
  return {
    dir,
    clock,
    open(history) {
      const store = openEmbeddedStore(dir, clock.now, history === undefined ? {} : { history })
      t.teardown(() => store.close())
      return store
    }
  }
}

/** A copy of a folder, as a process leaves it that is killed now. */
function killedCopy(t: Test, { dir }: Folder): Folder {
  const copy = tempDir(t)
  cpSync(dir, copy, { recursive: true })
  return createFolder(t, copy)
}

async function publishAll({ channels }: Store, name: string, first: number, last: number): Promise<Position> {
  let position: Position = { offset: 0, epoch: '' }
  for (let n = first; n <= last; n++) {
    const { offset, epoch } = await publish(channels, name, String(n))
    position = { offset, epoch }
  }
  return position
}

async function dataOf({ channels }: Store, name: string): Promise<readonly string[]> {
  const { publications } = await channels.newest(name, { limit: 100, maxBytes: 1e6 })
  return publications.map(({ data }) => data)
}

/** Waits until the database has what was published. A ticket is written in a transaction after those before it. */
async function saved(t: Test, folder: Folder, name: string, wanted: readonly string[]): Promise<void> {
  await until('it is saved', async () => {
    const copy = killedCopy(t, folder).open()
    const data = await dataOf(copy, name)
    await copy.close()
    return JSON.stringify(data) === JSON.stringify(wanted)
  })
}

t.test('bug: the embedded store forgot its channels and tickets with a restart', async t => {
  const folder = createFolder(t)
  const first = folder.open()
  const top = await publishAll(first, 'a', 1, 5)
  const [joined] = await first.channels.tops(['joined'])
  await first.tickets.put('ticket', 'text', 60_000, 'owner')
  const keyed = { publishedAt: 1, idempotencyKey: 'k' }
  await first.channels.publish('keyed', '1', keyed)
  await first.close()

  const second = folder.open()
  const since = await second.channels.read('a', { ...top, offset: 2 }, 9)
  t.match(since, { top, publications: [{ offset: 3, data: '3' }, { data: '4' }, { data: '5' }] })
  t.same(await second.channels.tops(['joined']), [joined], 'also a channel that was only joined')
  t.equal(await second.tickets.get('ticket'), 'text')
  t.match(await second.tickets.list('0', 9), { items: [{ keyId: 'ticket' }] })
  t.match(await second.channels.publish('keyed', '1', keyed), { offset: 1, duplicate: true })
  t.match(await publishAll(second, 'a', 6, 6), { offset: 6, epoch: top.epoch })
  await second.close()
  t.same(await dataOf(folder.open(), 'a'), ['1', '2', '3', '4', '5', '6'])
})

t.test('bug: after a kill -9 the embedded store had forgotten its channels and tickets', async t => {
  const { dir, open } = createFolder(t)
  const child = fork(new URL('../helper/publish-until-killed.mjs', import.meta.url), [dir], { execArgv: [] })
  let last: { epoch: string; offset: number } | undefined
  child.on('message', message => {
    last = message as typeof last
  })
  await until('it has published for a while', () => (last?.offset ?? 0) > 8000)
  child.kill('SIGKILL')
  await once(child, 'exit')
  if (last === undefined) throw new Error('nothing was published')

  const store = open()
  const [top] = await store.channels.tops(['a'])
  t.not(top?.epoch, last.epoch, 'what may be lost is not claimed')
  t.equal((await store.channels.read('a', last, 4096)).publications, undefined)
  t.ok((top?.offset ?? 0) > 0, `${top?.offset} of at least ${last.offset} publications were saved`)
  const data = await dataOf(store, 'a')
  t.equal(data.length, 100)
  t.same(
    data,
    Array.from({ length: 100 }, (_, i) => String((top?.offset ?? 0) - 99 + i)),
    'the newest of them, without a gap'
  )
  t.equal(await store.tickets.get('ticket'), 'text')
})

t.test('publications that were lost in a crash are never claimed', async t => {
  const folder = createFolder(t)
  const store = folder.open()
  await publishAll(store, 'a', 1, 3)
  await saved(t, folder, 'a', ['1', '2', '3'])
  const killed = killedCopy(t, folder)
  const lost = await publishAll(store, 'a', 4, 6)
  const after = killed.open()
  t.equal((await after.channels.read('a', lost, 9)).publications, undefined)
  const again = await publishAll(after, 'a', 7, 9)
  t.equal(again.offset, lost.offset, 'the same offsets are assigned again')
  t.not(again.epoch, lost.epoch)
  t.equal((await after.channels.read('a', lost, 9)).publications, undefined)
  t.same(await dataOf(after, 'a'), ['1', '2', '3', '7', '8', '9'])
})

t.test('a restored copy of a folder does not continue its epochs', async t => {
  const folder = createFolder(t)
  const first = folder.open()
  const top = await publishAll(first, 'a', 1, 3)
  await first.close()
  t.ok(existsSync(join(folder.dir, 'countersign.channels.mdb.clean')))
  const copy = killedCopy(t, folder).open()
  t.not((await copy.channels.tops(['a']))[0]?.epoch, top.epoch)
  t.same(await dataOf(copy, 'a'), ['1', '2', '3'])
  const second = folder.open()
  t.notOk(existsSync(join(folder.dir, 'countersign.channels.mdb.clean')), 'the mark is for one start')
  await second.close()
})

t.test('restores neither expired data nor more than the bounds', async t => {
  const folder = createFolder(t)
  const bounds = { size: 3, lifeMs: 300_000 }
  const first = folder.open(bounds)
  await publishAll(first, 'a', 1, 2)
  await saved(t, folder, 'a', ['1', '2'])
  await publishAll(first, 'a', 3, 10)
  await first.tickets.put('short', 'text', 1000, 'owner')
  await first.tickets.put('long', 'text', 3_600_000, 'owner')
  await first.channels.publish('keyed', '1', { publishedAt: 1, idempotencyKey: 'k' })
  await first.close()
  folder.clock.advance(1000)
  const second = folder.open({ ...bounds, size: 2 })
  t.same(await dataOf(second, 'a'), ['9', '10'])
  t.same(await second.tickets.list('0', 9), { items: [{ keyId: 'long', text: 'text' }] })
  await second.close()
  folder.clock.advance(idempotencyLifeMs)
  const third = folder.open()
  t.same(await dataOf(third, 'a'), [], 'the position stays')
  t.equal((await third.channels.tops(['a']))[0]?.offset, 10)
  t.match(await third.channels.publish('keyed', '1', { publishedAt: 1, idempotencyKey: 'k' }), { duplicate: false })
  folder.clock.advance(2 * 3_600_000)
  third.channels.removeExpired()
  await third.close()
  t.equal(await folder.open().channels.exists('a'), false)
})

t.test('a channel that was dropped and begun again has none of its old publications', async t => {
  const folder = createFolder(t)
  const first = folder.open()
  await publishAll(first, 'a', 1, 5)
  await saved(t, folder, 'a', ['1', '2', '3', '4', '5'])
  folder.clock.advance(2 * 3_600_000)
  await publishAll(first, 'a', 6, 7)
  await first.close()
  const second = folder.open()
  t.same(await dataOf(second, 'a'), ['6', '7'])
  t.equal((await second.channels.tops(['a']))[0]?.offset, 2)
})

t.test('a ticket is on disk when it is given, and its revocation when it is confirmed', async t => {
  const folder = createFolder(t)
  const store = folder.open()
  await Promise.all(Array.from({ length: 50 }, (_, i) => store.tickets.put(`t${i}`, 'valid', 60_000, 'owner')))
  t.equal((await killedCopy(t, folder).open().tickets.list('0', 99)).items.length, 50)
  t.equal(await store.tickets.replace('t7', 'valid', 'revoked'), true)
  t.equal(await killedCopy(t, folder).open().tickets.get('t7'), 'revoked')
})

t.test('a damaged database stops the start, with advice', async t => {
  const { dir, open } = createFolder(t)
  await open().close()
  writeFileSync(join(dir, 'countersign.channels.mdb'), 'x'.repeat(10_000))
  t.throws(() => open(), { name: 'DataDirUnusable', message: /channels\.mdb is no database.+remove it/ })
  rmSync(join(dir, 'countersign.channels.mdb'))
  await open().close()
  t.pass('the data folder is not locked any more')
})
