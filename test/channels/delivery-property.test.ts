import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { Position } from '../../src/store/channels.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { channel, start, TestSubscriber } from './broker-fixture.js'

t.test('property: every subscriber receives everything once and in order, or is lost', async t => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('publish' as const) }) },
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constantFrom('deliver', 'lose', 'duplicate' as const), at: fc.nat(8) })
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('join', 'rejoin', 'leave' as const), who: fc.nat(3) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom('rewind', 'away', 'back', 'tick', 'turn', 'missed' as const) })
    }
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 6 }), async (steps, historySize) => {
      const { store, channels, pass, publish } = start({ historyCount: 3, recover: 8 }, historySize)
      const subscribers = Array.from({ length: 4 }, () => new TestSubscriber())
      /** The next offset that each subscriber must receive. */
      const expected = new Map<TestSubscriber, number>()

      function check(subscriber: TestSubscriber): void {
        let next = expected.get(subscriber)
        for (const received of subscriber.received.splice(0)) {
          if (next === undefined) throw new Error(`received ${received} after it was lost or had left`)
          if (received === 'lost') next = undefined
          else if (received !== next) throw new Error(`received ${received} instead of ${next}`)
          else next++
        }
        if (next === undefined) expected.delete(subscriber)
        else expected.set(subscriber, next)
      }

      async function join(subscriber: TestSubscriber, recover: Position | undefined): Promise<void> {
        try {
          const { position, recovered, publications } = await subscriber.join(channels, recover)
          check(subscriber)
          if (recovered && recover !== undefined) {
            const offsets = publications.map(({ offset }) => offset)
            const missed = Array.from({ length: position.offset - recover.offset }, (_, i) => recover.offset + 1 + i)
            if (String(offsets) !== String(missed)) throw new Error(`recovered ${offsets} instead of ${missed}`)
          }
          expected.set(subscriber, position.offset + 1)
          channels.release(subscriber, channel)
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) throw error
        }
      }

      for (const each of steps) {
        if ('at' in each) {
          const at = Math.min(each.at, store.notifications.length - 1)
          if (each.kind === 'duplicate') store.deliver(store.notifications[at])
          else {
            const [notification] = store.notifications.splice(Math.max(at, 0), 1)
            if (each.kind === 'deliver') store.deliver(notification)
          }
        } else if ('who' in each) {
          const subscriber = subscribers[each.who]
          if (subscriber === undefined) continue
          if (each.kind === 'leave') {
            channels.leave(subscriber, channel)
            check(subscriber)
            expected.delete(subscriber)
          } else await join(subscriber, each.kind === 'rejoin' ? subscriber.position : undefined)
        } else if (each.kind === 'publish') await publish().catch(() => {})
        else if (each.kind === 'rewind') store.rewind(channel)
        else if (each.kind === 'tick') await pass(1000)
        else if (each.kind === 'turn') await setImmediate()
        else if (each.kind === 'missed') store.mayHaveMissed()
        else store.isAway = each.kind === 'away'
        subscribers.forEach(check)
      }
      // With a working store every subscriber reaches the top without further loss.
      store.isAway = false
      await setImmediate()
      await pass(40_000)
      await pass(1000)
      await publish()
      store.deliverAll()
      await setImmediate()
      const top = store.topOf(channel).offset
      for (const subscriber of subscribers) {
        check(subscriber)
        const next = expected.get(subscriber)
        if (next !== undefined && next !== top + 1) throw new Error(`expects ${next}, the top is ${top}`)
      }
    }),
    { numRuns: 300 }
  )
  t.pass()
})
