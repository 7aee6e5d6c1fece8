import type { Test } from 'tap'
import type { ChangeEvent } from '../../src/store/change-event.js'
import type { AuditHead, Change } from '../../src/store/durable.js'
import type { OpenStoreForTest } from '../helper/stores.js'

/** An audit entry that shows which entry it follows. */
const entry = (name: string): Change['audit'] => {
  return (head: AuditHead) => ({ hash: `h${head.seq + 1}`, text: `${name} after ${head.seq}/${head.hash}` })
}

/** Durable state, on each store. */
export function durableSuite(t: Test, open: OpenStoreForTest): void {
  t.test('records: creates, changes and removes by the version that was read', async t => {
    const { durable: records } = (await open(t, Date.now)).store
    t.equal(await records.get('client:a'), undefined)
    const first = await records.commit({ writes: [{ key: 'client:a', expect: 0, text: '{"n":1}' }], audit: entry('x') })
    t.type(first, 'number')
    const stored = await records.get('client:a')
    t.match(stored, { key: 'client:a', text: '{"n":1}' })
    const version = stored?.version ?? -1
    const change = (expect: number, text?: string) =>
      records.commit({
        writes: [{ key: 'client:a', expect, ...(text === undefined ? {} : { text }) }],
        audit: entry('y')
      })
    t.equal(await change(0, '{"n":2}'), 'conflict', 'it exists')
    t.equal(await change(version + 1, '{"n":2}'), 'conflict', 'another version')
    t.not(await change(version, '{"n":2}'), 'conflict')
    t.equal(await change(version, '{"n":3}'), 'conflict', 'changed concurrently')
    const now = await records.get('client:a')
    t.equal(now?.text, '{"n":2}')
    t.not(await change(now?.version ?? -1), 'conflict')
    t.equal(await records.get('client:a'), undefined)
    t.not(await change(0, 'again'), 'conflict')
    const again = await records.get('client:a')
    t.ok((again?.version ?? 0) > (now?.version ?? 0), 'versions are unique even after a removal')
  })

  t.test('records: applies all writes of a change or none', async t => {
    const { durable: records } = (await open(t, Date.now)).store
    await records.commit({ writes: [{ key: 'client:b', expect: 0, text: 'b' }], audit: entry('x') })
    const head = await records.auditHead()
    const both = await records.commit({
      writes: [
        { key: 'client:a', expect: 0, text: 'a' },
        { key: 'client:b', expect: 0, text: 'changed' }
      ],
      audit: entry('y')
    })
    t.equal(both, 'conflict')
    t.equal(await records.get('client:a'), undefined)
    t.equal((await records.get('client:b'))?.text, 'b')
    t.same(await records.auditHead(), head, 'no audit entry either')
  })

  t.test('records: lists one kind in order, in pages', async t => {
    const { durable: records } = (await open(t, Date.now)).store
    for (const id of ['b', 'a', 'c.1', 'c', 'C', 'z']) {
      await records.commit({ writes: [{ key: `client:${id}`, expect: 0, text: id }], audit: entry(id) })
    }
    await records.commit({ writes: [{ key: 'clientele:a', expect: 0, text: 'no' }], audit: entry('other kind') })
    await records.commit({ writes: [{ key: 'aaa:a', expect: 0, text: 'no' }], audit: entry('other kind') })
    const ids = (rows: readonly { text: string }[]) => rows.map(({ text }) => text)
    t.same(ids(await records.list('client', '', 10)), ['C', 'a', 'b', 'c', 'c.1', 'z'])
    t.same(ids(await records.list('client', '', 2)), ['C', 'a'])
    t.same(ids(await records.list('client', 'a', 3)), ['b', 'c', 'c.1'])
    t.same(ids(await records.list('client', 'bb', 2)), ['c', 'c.1'], 'after an unknown id')
    t.same(ids(await records.list('client', 'z', 2)), [])
    t.same(ids(await records.list('license', '', 2)), [])
  })

  t.test('audit: adds a chained entry in the transaction of each change, from any instance', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    t.same(await store.durable.auditHead(), { seq: 0, hash: '' })
    const each = async (records: typeof store.durable, name: string) =>
      records.commit({ writes: [{ key: `client:${name}`, expect: 0, text: name }], audit: entry(name) })
    t.equal(await each(store.durable, 'a'), 1)
    t.equal(await each(second.durable, 'b'), 2)
    t.equal(await each(store.durable, 'c'), 3, 'the log had moved on')
    t.same(await second.durable.auditAfter(0, 10), [
      { seq: 1, text: 'a after 0/' },
      { seq: 2, text: 'b after 1/h1' },
      { seq: 3, text: 'c after 2/h2' }
    ])
    t.same(await store.durable.auditAfter(1, 1), [{ seq: 2, text: 'b after 1/h1' }])
    t.same(await store.durable.auditAfter(3, 10), [])
  })

  t.test('audit: concurrent changes make one unbroken chain', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    const many = Array.from({ length: 40 }, (_, i) =>
      (i % 2 === 0 ? store : second).durable.commit({
        writes: [{ key: `client:${i}`, expect: 0, text: `${i}` }],
        audit: entry(`${i}`)
      })
    )
    const numbers = (await Promise.all(many)).map(Number).sort((a, b) => a - b)
    t.same(
      numbers,
      Array.from({ length: 40 }, (_, i) => i + 1)
    )
    for (const { seq, text } of await store.durable.auditAfter(1, 100)) t.match(text, `after ${seq - 1}/h${seq - 1}`)
  })

  t.test('records: one of many concurrent changes of a version succeeds', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    const race = Array.from({ length: 16 }, (_, i) =>
      (i % 2 === 0 ? store : second).durable.commit({
        writes: [{ key: 'license:one', expect: 0, text: `${i}` }],
        audit: entry(`${i}`)
      })
    )
    const winners = (await Promise.all(race)).filter(result => result !== 'conflict')
    t.equal(winners.length, 1)
  })

  t.test('change events: lists each event once and notifies every instance', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    const notified = new Promise<void>(resolve => second.durable.onChange(resolve))
    const change = (event?: ChangeEvent) =>
      store.durable.commit({ writes: [], audit: entry('x'), ...(event === undefined ? {} : { event }) })
    await change({ kind: 'client', id: 'a' })
    await change({ kind: 'client', id: 'b' })
    await change()
    await change({ kind: 'client', id: 'a' })
    t.same(await second.durable.changesAfter(0, 10), [
      { event: { kind: 'client', id: 'b' }, seq: 2 },
      { event: { kind: 'client', id: 'a' }, seq: 4 }
    ])
    t.same(await second.durable.changesAfter(2, 10), [{ event: { kind: 'client', id: 'a' }, seq: 4 }])
    t.same(await second.durable.changesAfter(4, 10), [])
    t.same((await second.durable.changesAfter(0, 1)).length, 1)
    // The listener may have missed the notifications so far; another change sends another one.
    await change({ kind: 'client', id: 'c' })
    await notified
  })
}
