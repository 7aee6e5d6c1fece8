import { existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { reserveBytes } from '../../src/store/embedded/disk-reserve.js'
import { type EmbeddedDurable, openEmbeddedDurable } from '../../src/store/embedded/durable.js'
import { openEmbeddedStore } from '../../src/store/embedded/index.js'
import { createClock, type FakeClock } from '../helper/clock.js'
import { mountSmallDisk, type SmallDisk } from '../helper/small-disk.js'
import { until } from '../helper/until.js'

const audit = ({ seq }: { seq: number }) => ({ hash: `${seq}`, text: 'e' })
const disk = mountSmallDisk(t, 4)
const skip = typeof disk === 'string' ? disk : false

/** Rejections that nothing handled: any would have ended the process. */
const unhandled: unknown[] = []
process.on('unhandledRejection', reason => unhandled.push(reason))

interface Case {
  readonly durable: EmbeddedDurable
  readonly disk: SmallDisk
  readonly clock: FakeClock
  readonly events: string[]
  /** Commits a record that must not exist yet. */
  add(id: string, isProtective?: boolean): Promise<number | 'conflict'>
}

function open(t: Test, small: SmallDisk, name: string): Case {
  const [clock, events] = [createClock(), [] as string[]]
  const durable = openEmbeddedDurable(join(small.folder, `${name}.mdb`), {
    monotonicNow: clock.now,
    onWrites: failure => events.push(failure?.message ?? 'works')
  })
  t.teardown(() => durable.close())
  const add: Case['add'] = (id, isProtective = false) =>
    durable.commit({ writes: [{ key: `client:${id}`, expect: 0, text: 'x'.repeat(3000) }], audit, isProtective })
  return { durable, disk: small, clock, events, add }
}

/** Fills the disk, and what the database has free. @returns the records that were committed */
async function fill({ disk, add, clock }: Case): Promise<number> {
  disk.fill()
  for (let i = 0; ; i++) {
    try {
      await add(`fill-${i}`)
    } catch (error) {
      t.match(error, {
        name: 'StoreUnavailable',
        outcome: 'unsent',
        cause: { message: "the data folder's disk is full" }
      })
      clock.advance(1000)
      return i
    }
  }
}

t.test(
  'a full disk refuses changes and ends nothing, and changes work again when there is space',
  { skip },
  async t => {
    if (typeof disk === 'string') return
    const full = open(t, disk, 'a')
    const { durable, clock, events, add } = full
    await add('first')
    const committed = await fill(full)
    t.same(events, ["the data folder's disk is full"])
    await t.rejects(durable.ping(), { cause: { message: "the data folder's disk is full" } })
    const burst = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => add(`burst-${i}`)))
    t.ok(
      burst.every(({ status }) => status === 'rejected'),
      'all of them are refused'
    )
    t.match(await durable.get('client:first'), { version: 1 }, 'reads go on')
    t.equal((await durable.auditHead()).seq, committed + 1, 'nothing that was refused happened')
    clock.advance(1000)
    await t.rejects(add('later'), { name: 'StoreUnavailable', outcome: 'unsent' })

    disk.free()
    await t.rejects(durable.ping(), 'not before the next attempt is due')
    clock.advance(1000)
    await durable.ping()
    t.equal(await add('later'), committed + 2)
    t.same(events, ["the data folder's disk is full", 'works'], 'each told once')
  }
)

t.test('a revocation passes on a full disk, in the space of the reserve', { skip }, async t => {
  if (typeof disk === 'string') return
  const full = open(t, disk, 'b')
  const { durable, clock, add } = full
  const reserve = join(disk.folder, 'b.mdb.reserve')
  t.match(statSync(reserve), { size: reserveBytes })
  t.equal(statSync(reserve).mode & 0o777, 0o600)
  await fill(full)
  for (let i = 0; i < 20; i++) t.not(await add(`revoked-${i}`, true), 'conflict', 'a protective change is committed')
  t.notOk(existsSync(reserve), 'the reserve was given up')
  await t.rejects(add('other'), { name: 'StoreUnavailable', outcome: 'unsent' })
  clock.advance(1000)
  await t.rejects(add('other'), { name: 'StoreUnavailable', outcome: 'unsent' })
  await t.rejects(durable.ping())

  disk.free()
  clock.advance(1000)
  await durable.ping()
  t.match(statSync(reserve), { size: reserveBytes }, 'it is made again')
  await add('other')
})

t.test('opens on a full disk, red until there is space', { skip }, async t => {
  if (typeof disk === 'string') return
  await open(t, disk, 'c').durable.close()
  rmSync(join(disk.folder, 'c.mdb.reserve'))
  disk.fill()
  const { durable, clock, events, add } = open(t, disk, 'c')
  t.same(events, ["the data folder's disk is full"])
  await t.rejects(durable.ping(), { cause: { message: "the data folder's disk is full" } })
  disk.free()
  clock.advance(1000)
  await durable.ping()
  await add('first')
})

t.test('no promise of lmdb-js is left unhandled', async t => {
  await new Promise(resolve => setImmediate(resolve))
  t.same(unhandled, [])
})

t.test('channels and tickets work on a full disk, and are saved when there is space', { skip }, async t => {
  const small = mountSmallDisk(t, 6)
  if (typeof small === 'string') return
  const folder = join(small.folder, 'store')
  const events: string[] = []
  const store = openEmbeddedStore(folder, Date.now, { onWrites: failure => events.push(failure?.message ?? 'works') })
  t.teardown(() => store.close())
  await store.tickets.put('before', 'valid', 60_000, 'owner')
  small.fill()
  const data = JSON.stringify('x'.repeat(20_000))
  for (let i = 0; events.length === 0; i++) {
    await store.channels.publish(`c${i}`, data, { publishedAt: Date.now(), idempotencyKey: '' })
    await store.tickets.put(`while-${i}`, 'valid', 60_000, 'owner')
  }
  t.same(events, ["the data folder's disk is full"])
  await t.rejects(store.tickets.replace('before', 'valid', 'revoked'), {
    name: 'StoreUnavailable',
    outcome: 'unknown'
  })
  t.equal(await store.tickets.get('before'), 'revoked', 'it is in force')
  small.free()
  await until('it is written', () => events.includes('works'))
  await store.close()
  const again = openEmbeddedStore(folder, Date.now)
  t.teardown(() => again.close())
  t.equal(await again.tickets.get('before'), 'revoked')
  t.equal(await again.tickets.get('while-0'), 'valid')
  t.equal((await again.channels.newest('c0', { limit: 1, maxBytes: 1e6 })).publications.length, 1)
})
