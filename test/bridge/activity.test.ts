import t from 'tap'
import { SessionActivity } from '../../src/bridge/activity.js'

t.test('counts exchanges in flight', async t => {
  const activity = new SessionActivity(0)
  activity.beginExchange()
  activity.beginExchange()
  t.equal(activity.inFlight, 2)
  activity.finishExchange()
  t.equal(activity.inFlight, 1)
})

t.test('moves the deadline while an exchange is served, and restarts the timeout with its answer', async t => {
  const activity = new SessionActivity(1000)
  t.equal(activity.deadline(5000, 90), 1090, 'silence counts from the last answer')
  activity.beginServing()
  t.equal(activity.deadline(5000, 90), 5090, 'a held poll counts as alive')
  activity.finishServing(7000)
  t.equal(activity.lastSeenAt, 7000)
  t.equal(activity.deadline(9000, 90), 7090)
})

t.test('does not count an unverified or stale exchange as a sign of life', async t => {
  const activity = new SessionActivity(1000)
  activity.beginExchange()
  t.notOk(activity.isActiveSince(1001))
  activity.finishExchange()
  t.equal(activity.lastSeenAt, 1000)
  activity.beginServing()
  t.ok(activity.isActiveSince(1001))
})
