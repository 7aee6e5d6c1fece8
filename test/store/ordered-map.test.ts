import fc from 'fast-check'
import t from 'tap'
import { OrderedMap } from '../../src/store/ordered-map.js'

const command = fc.oneof(
  fc.record({ verb: fc.constant('set' as const), key: fc.nat(8), value: fc.nat() }),
  fc.record({ verb: fc.constant('delete' as const), key: fc.nat(8) }),
  fc.record({ verb: fc.constant('oldest' as const) }),
  fc.record({ verb: fc.constant('deleteOldest' as const) })
)

t.test('is a Map whose oldest entry is its first', async t => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200 }), commands => {
      const [map, ordered] = [new Map<number, number>(), new OrderedMap<number, number>()]
      for (const each of commands) {
        const first = [...map][0]
        if (each.verb === 'set') {
          map.set(each.key, each.value)
          ordered.set(each.key, each.value)
        } else if (each.verb === 'delete') {
          if (map.delete(each.key) !== ordered.delete(each.key)) return false
        } else if (each.verb === 'oldest') {
          if (JSON.stringify(ordered.oldest) !== JSON.stringify(first)) return false
        } else {
          if (first !== undefined) map.delete(first[0])
          ordered.deleteOldest()
        }
        if (ordered.size !== map.size || JSON.stringify([...ordered]) !== JSON.stringify([...map])) return false
      }
      return [...map].every(([key, value]) => ordered.has(key) && ordered.get(key) === value)
    }),
    { numRuns: 500 }
  )
  t.pass()
})

/** How often `run` begins to walk through a Map. Each walk skips what was removed at the front of the Map. */
function walksOf(run: () => void): number {
  let walks = 0
  const { prototype } = Map
  const { keys, entries } = prototype
  const counted = <T>(original: () => T) =>
    function (this: unknown): T {
      walks++
      return original.call(this)
    }
  Object.assign(prototype, { keys: counted(keys), entries: counted(entries), [Symbol.iterator]: counted(entries) })
  try {
    run()
  } finally {
    Object.assign(prototype, { keys, entries, [Symbol.iterator]: entries })
  }
  return walks
}

t.test('bug: finding the oldest of many entries took longer than of few', async t => {
  const [count, replaced] = [1000, 500]
  const [map, ordered] = [new Map<number, number>(), new OrderedMap<number, number>()]
  for (let i = 0; i < count; i++) {
    map.set(i, i)
    ordered.set(i, i)
  }
  const ofMap = walksOf(() => {
    for (let i = 0; i < replaced; i++) {
      for (const [oldest] of map) {
        map.delete(oldest)
        break
      }
      map.set(count + i, i)
    }
  })
  const own = walksOf(() => {
    for (let i = 0; i < replaced; i++) {
      ordered.deleteOldest()
      ordered.set(count + i, i)
    }
  })
  t.equal(ofMap, replaced)
  t.equal(own, 0, 'it goes on where it was')
})
