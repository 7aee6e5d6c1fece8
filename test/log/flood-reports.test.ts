import t from 'tap'
import { createFloodReports, floodLineEveryMs, maxOffenders } from '../../src/log/flood-reports.js'
import { createClock } from '../helper/clock.js'

function start() {
  const clock = createClock()
  const lines: object[] = []
  const floods = createFloodReports(clock.now, (who, refused) => lines.push({ ...who, refused }))
  return { clock, lines, floods }
}

const remoteAddress = '203.0.113.7'

t.test('one line when an offender begins, then one a minute with a count, then none', async t => {
  const { clock, lines, floods } = start()
  const who = { clientId: 'c', sessionId: 's', remoteAddress }
  for (let i = 0; i < 100; i++) floods.record(who)
  floods.record({ remoteAddress })
  t.same(lines, [
    { ...who, refused: 1 },
    { remoteAddress, refused: 1 }
  ])
  floods.tick()
  t.equal(lines.length, 2)
  clock.advance(floodLineEveryMs)
  floods.tick()
  floods.tick()
  t.same(lines.slice(2), [{ ...who, refused: 99 }])
  clock.advance(floodLineEveryMs)
  floods.tick()
  t.equal(lines.length, 3, 'it has stopped')
  floods.record(who)
  t.same(lines.slice(3), [{ ...who, refused: 1 }], 'it begins again')
})

t.test('offenders above the bound share one line', async t => {
  const { clock, lines, floods } = start()
  for (let i = 0; i < maxOffenders + 50; i++) floods.record({ clientId: `c${i}`, remoteAddress })
  t.equal(lines.length, maxOffenders + 1)
  t.same(lines.at(-1), { refused: 1 })
  clock.advance(floodLineEveryMs)
  floods.tick()
  t.same(lines.at(-1), { refused: 49 })
})
