import t from 'tap'
import { CallOrder } from '../../src/calls/call-order.js'
import { type CallOutcome, noReceiver } from '../../src/calls/outcome.js'
import { StoreUnavailable } from '../../src/store/store.js'

/** A dispatch that ends when its test ends it. */
function held() {
  let end: (error?: Error) => void = () => {}
  const ended = new Promise<undefined>((resolve, reject) => {
    end = error => (error === undefined ? resolve(undefined) : reject(error))
  })
  return { dispatch: () => ended, end }
}

const unsent = { kind: 'refused', code: 'UNAVAILABLE', outcome: 'unsent' }

t.test('dispatches calls in the order in which they were made, whatever became of those before', async t => {
  const order = new CallOrder()
  const ran: number[] = []
  const { dispatch, end } = held()
  const first = order.run(dispatch)
  const rest = [1, 2, 3].map(n =>
    order.run(async () => {
      ran.push(n)
      return n === 1 ? noReceiver : undefined
    })
  )
  await new Promise(resolve => setImmediate(resolve))
  t.same(ran, [])
  end(new Error('unexpected'))
  await t.rejects(first, { message: 'unexpected' })
  t.same(await Promise.all(rest), [noReceiver, undefined, undefined])
  t.same(ran, [1, 2, 3])
})

t.test('bug: without the store, each call waited for the timeouts of all before it', async t => {
  const refused: CallOutcome = { kind: 'refused', code: 'UNAVAILABLE', outcome: 'unknown' }
  for (const fail of [() => Promise.reject(new StoreUnavailable()), async () => refused]) {
    const order = new CallOrder()
    const ran: string[] = []
    const { dispatch, end } = held()
    const first = order.run(() => dispatch().then(fail))
    const waiting = [1, 2].map(n =>
      order.run(async () => {
        ran.push(`waiting ${n}`)
        return undefined
      })
    )
    end()
    t.match(await first, { code: 'UNAVAILABLE', outcome: 'unknown' })
    for (const outcome of await Promise.all(waiting)) t.match(outcome, unsent)
    t.same(ran, [])
    t.equal(await order.run(async () => void ran.push('later')), undefined)
    t.same(ran, ['later'], 'the next call asks the store again')
  }
})
