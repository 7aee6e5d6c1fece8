import t from 'tap'
import { idempotencyLifeMs, sessionResultLifeMs } from '../../src/store/channels.js'
import { createEmbeddedBridge } from '../../src/store/embedded/bridge.js'
import { createEmbeddedChannels } from '../../src/store/embedded/channels.js'
import { ClientResults, maxSessionResults, SessionResults } from '../../src/store/embedded/idempotency-results.js'
import { createClock } from '../helper/clock.js'

/** Results of publications with a key in the embedded store. */

const exceeded = { name: 'StoreUnavailable' }
const place = { offset: 1, epoch: 'e' }

t.test('bug: results of one owner left no capacity for another', async t => {
  const clock = createClock()
  const results = new ClientResults(clock.now, 4)
  const add = (owner: string, key: string) => {
    results.makeCapacity(owner)
    results.add(key, owner, 'd', place)
  }
  for (let i = 0; i < 4; i++) add('flooder', `f${i}`)
  t.throws(() => add('flooder', 'f4'), exceeded)
  add('other', 'o1')
  t.equal(results.size, 4)
  t.equal(results.get('f0'), undefined, 'the oldest of all gave way')
  t.match(results.get('f1'), place)
  add('other', 'o2')
  t.throws(() => add('other', 'o3'), exceeded, 'each has an equal share')
  clock.advance(idempotencyLifeMs)
  t.equal(results.get('f3'), undefined)
  add('flooder', 'f5')
  t.equal(results.size, 1)
})

t.test('keeps the newest results of a session, until it ends or is quiet', async t => {
  const clock = createClock()
  const results = new SessionResults(clock.now, 2 * maxSessionResults)
  for (let i = 0; i <= maxSessionResults; i++) results.add('s1', `k${i}`, 'd', place)
  t.equal(results.size, maxSessionResults)
  t.equal(results.get('s1', 'k0'), undefined)
  t.match(results.get('s1', 'k1'), place)
  results.add('s1', 'k1', 'd', place)
  t.equal(results.size, maxSessionResults, 'a result that is written again counts once')
  for (let i = 0; i < maxSessionResults; i++) results.add('s2', `k${i}`, 'd', place)
  results.add('s3', 'k', 'd', place)
  t.equal(results.size, 2 * maxSessionResults, 'the quietest session loses its oldest')
  t.equal(results.get('s2', 'k0')?.offset, 1)
  results.endSession('s2')
  t.equal(results.size, maxSessionResults)
  clock.advance(sessionResultLifeMs)
  t.equal(results.get('s3', 'k'), undefined)
  results.removeExpired(1)
  results.removeExpired(9)
  t.equal(results.size, 0)
})

t.test('an ended bridge session leaves no results', async t => {
  const channels = createEmbeddedChannels(Date.now)
  const bridge = createEmbeddedBridge(Date.now, sessionId => channels.endSession(sessionId))
  await bridge.open({ sessionId: 's', info: '', positions: new Map(), challengeAt: 0 })
  const options = { publishedAt: 1, idempotencyKey: 's:s:2', sessionId: 's' }
  await channels.publish('a', '1', options)
  t.match(await channels.findRepeat('a', '1', options), { duplicate: true })
  await bridge.end('s', 'bye', 1000)
  t.equal(await channels.findRepeat('a', '1', options), undefined)
})
