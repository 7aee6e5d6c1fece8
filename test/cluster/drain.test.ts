import t from 'tap'
import { createDrain } from '../../src/cluster/drain.js'

t.test('begins each participant, and asks nobody to reconnect when the drain time is 0', async t => {
  const begun: string[] = []
  const asked = { count: 0 }
  const values = () => {
    asked.count++
    return []
  }
  const drain = createDrain({ size: 1, values }, 0)
  drain.register({ begin: () => void begun.push('bridge'), isQuiet: () => false })
  t.equal(drain.isDraining(), false)
  await drain.run()
  t.equal(drain.isDraining(), true)
  t.same(begun, ['bridge'])
  t.equal(asked.count, 0)
})

t.test('ends early when all sessions have moved', async t => {
  const drain = createDrain({ size: 0, values: () => [] }, 60_000)
  drain.register({ begin() {}, isQuiet: () => true })
  await drain.run()
  t.equal(drain.isDraining(), true)
})
