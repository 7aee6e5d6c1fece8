import t from 'tap'
import { BoundWatch } from '../../src/log/bound-watch.js'

t.test('reports a bound once before it is hit, and again after it was far from it', async t => {
  const lines: string[] = []
  const watch = new BoundWatch(({ name, used }) => lines.push(`${name} ${used}`))
  for (const used of [10, 79, 80, 99, 75, 100, 69, 80]) watch.check([{ name: 'channels', used, limit: 100 }])
  t.same(lines, ['channels 80', 'channels 80'])
  watch.check([{ name: 'none', used: 0, limit: 0 }])
  t.equal(lines.length, 2)
})
