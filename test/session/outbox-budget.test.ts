import t from 'tap'
import { OutboxBudget } from '../../src/session/outbox-budget.js'
import { Session } from '../../src/session/session.js'
import { createTestDependencies } from '../helper/dependencies.js'
import { keys, peer, stuckTransport } from './parts.js'

t.test('counts unsent bytes of sessions, and forgets sessions that sent them or ended', async t => {
  const budget = new OutboxBudget(100)
  const [a, b] = [{ countedBytes: 0 }, { countedBytes: 0 }]
  budget.count(a, 60)
  budget.count(b, 40)
  t.equal(budget.usedBytes, 100)
  t.equal(budget.isOverShare(a), false, 'the total is at its bound')
  budget.count(b, 41)
  t.equal(budget.isOverShare(a), true)
  t.equal(budget.isOverShare(b), false, 'it has less than an equal part')
  budget.count(a, 0)
  t.equal(budget.usedBytes, 41)
  budget.count(b, 101)
  t.equal(budget.isOverShare(b), true, 'alone it has the whole')
})

t.test('bug: many sessions that do not read could fill the memory, each within its own bound', async t => {
  const outboxes = new OutboxBudget(10_000)
  const dependencies = { ...(await createTestDependencies(t)), outboxes }
  const open = (bytes: number) => {
    const { transport, closed } = stuckTransport(bytes, 1)
    const session = new Session(dependencies, transport, { peer, keys, expiresAt: Infinity }, () => {})
    session.send({ type: 'heartbeat', serverTime: 1 })
    return { session, closed }
  }
  const reading = Array.from({ length: 5 }, () => open(100))
  const stuck = Array.from({ length: 9 }, () => open(1500))
  t.same(
    stuck.map(({ session }) => session.ended),
    [...Array(6).fill(false), true, true, true]
  )
  t.same(stuck.at(-1)?.closed, [[4511, 'SLOW_CONSUMER']])
  t.equal(outboxes.usedBytes <= outboxes.maxBytes, true)
  for (const { session } of reading) t.equal(session.ended, false, 'those that read are not affected')
  for (const { session } of [...reading, ...stuck]) session.end('INTERNAL')
  t.equal(outboxes.usedBytes, 0)
})
