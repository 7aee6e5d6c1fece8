import t from 'tap'
import { createDrain, type DrainOptions } from '../../src/cluster/drain.js'

type Session = DrainOptions['sessions'] extends { values(): Iterable<infer S> } ? S : never

/** Sessions that record what they are asked. */
function createSessions(count: number) {
  const asked: number[] = []
  const all = new Set<Session>()
  const add = (welcomed = true) => {
    const send = ({ afterMs }: { afterMs: number }) => void asked.push(afterMs)
    const session = { welcomed, send } as unknown as Session & { welcomed: boolean }
    all.add(session)
    return session
  }
  for (let i = 0; i < count; i++) add()
  const values = () => all
  return {
    asked,
    add,
    leave: () => all.clear(),
    sessions: {
      values,
      get size() {
        return all.size
      }
    }
  }
}

const alone = { announceStop: async () => {}, exist: async () => false }
const among = { announceStop: async () => {}, exist: async () => true }
const minuteMs = 60_000

t.test('begins each participant, and asks no session to reconnect when the drain time is 0', async t => {
  const begun: string[] = []
  const { sessions, asked } = createSessions(1)
  const drain = createDrain({ sessions, others: among, drainMs: 0 })
  drain.register({ begin: () => void begun.push('bridge'), isQuiet: () => false })
  t.equal(drain.isDraining(), false)
  await drain.run()
  t.equal(drain.isDraining(), true)
  t.same(begun, ['bridge'])
  t.same(asked, [])
})

t.test('ends early when all sessions have moved', async t => {
  const { sessions } = createSessions(0)
  const drain = createDrain({ sessions, others: among, drainMs: minuteMs })
  drain.register({ begin() {}, isQuiet: () => true })
  await drain.run()
  t.equal(drain.isDraining(), true)
})

t.test('bug: the last instance waited the whole drain time for sessions that had nowhere to go', async t => {
  const { sessions, asked } = createSessions(3)
  await createDrain({ sessions, others: alone, drainMs: minuteMs }).run()
  t.same(asked, [])
})

t.test('bug: instances that stop together waited for each other', async t => {
  const { sessions, asked } = createSessions(3)
  let checks = 0
  const stopped: string[] = []
  const others = {
    announceStop: async () => void stopped.push('announced'),
    exist: async () => ++checks < 2
  }
  await createDrain({ sessions, others, drainMs: minuteMs }).run()
  t.same(stopped, ['announced'])
  t.equal(asked.length, 3, 'asked while there was another')
})

t.test('bug: a session whose handshake was under way was never asked', async t => {
  const { sessions, asked, add, leave } = createSessions(1)
  const late = add(false)
  const others = { announceStop: async () => {}, exist: async () => true }
  const done = createDrain({ sessions, others, drainMs: minuteMs }).run()
  await new Promise(resolve => setImmediate(resolve))
  t.equal(asked.length, 1)
  Object.assign(late, { welcomed: true })
  while (asked.length < 2) await new Promise(resolve => setImmediate(resolve))
  leave()
  await done
  t.equal(asked.length, 2, 'each once')
})

t.test('a few sessions need not be spread over half of the drain time', async t => {
  const { sessions, asked, leave } = createSessions(5)
  const done = createDrain({ sessions, others: among, drainMs: minuteMs }).run()
  while (asked.length < 5) await new Promise(resolve => setImmediate(resolve))
  t.ok(
    asked.every(afterMs => afterMs >= 0 && afterMs < 50),
    'some ms each'
  )
  leave()
  await done
})

t.test('a store that does not answer does not end the drain', async t => {
  const { sessions, asked, leave } = createSessions(1)
  const fail = async () => Promise.reject(new Error('away'))
  const done = createDrain({ sessions, others: { announceStop: fail, exist: fail }, drainMs: minuteMs }).run()
  while (asked.length < 1) await new Promise(resolve => setImmediate(resolve))
  leave()
  await done
  t.equal(asked.length, 1)
})
