import t from 'tap'
import { stores } from '../helper/stores.js'

t.test('redis: adds up the amounts of instances, and removes those that have ended', async t => {
  const { store, another } = await stores.redis(t, Date.now)
  const other = await another()
  const one = { owner: 'a', ended: [], lifeMs: 60_000 }
  await store.quotas?.add({ ...one, amounts: [{ field: 'channels:1', amount: 3 }] })
  const update = {
    ...one,
    amounts: [
      { field: 'channels:1', amount: -1 },
      { field: 'history_bytes:7', amount: 10 }
    ]
  }
  const sums = await other.quotas?.add(update)
  t.same([...(sums ?? [])].sort(), [
    ['channels:1', 2],
    ['history_bytes:7', 10]
  ])
  t.same(
    [...((await store.quotas?.add({ ...one, amounts: [], ended: ['channels:1'] })) ?? [])],
    [['history_bytes:7', 10]]
  )
  t.same([...((await store.quotas?.add({ ...one, owner: 'b', amounts: [] })) ?? [])], [], 'each owner has its own')
})

t.test('the embedded store has one instance, which counts alone', async t => {
  const { store } = await stores.embedded(t, Date.now)
  t.equal(store.quotas, undefined)
  t.same(
    store.bounds().map(({ name }) => name),
    ['history_bytes', 'channels', 'idempotency_results', 'tickets', 'ticket_bytes', 'call_bytes']
  )
})
