import t from 'tap'
import { ClientQuotas } from '../../src/channels/client-quotas.js'
import { QuotaLedger } from '../../src/channels/quota-ledger.js'
import { maxQuotaOwners } from '../../src/channels/quota-owners.js'
import type { RateLimited } from '../../src/protocol/protocol-error.js'
import { ShareExceeded, StoreUnavailable } from '../../src/store/errors.js'
import type { QuotaStore, QuotaUpdate } from '../../src/store/quotas.js'
import { createClock } from '../helper/clock.js'

/** Counts per client, without a gateway. */

const perClient = { bytesPerSecond: 1000, historyBytes: 10_000, channels: 4, idempotencyResults: 2, tickets: 2 }
const limits = { perClient, perToken: { ...perClient, historyBytes: 20_000 } }
const historyLifeMs = 80_000
const refusal = { code: 'RATE_LIMITED' }

function start(store?: QuotaStore, clock = createClock()) {
  const lines: object[] = []
  const refused: string[] = []
  const quotas = new ClientQuotas({
    ...{ limits, historyLifeMs, store, now: clock.now },
    log: { debug() {}, warn: fields => void lines.push(fields) },
    onRefusal: quota => void refused.push(quota)
  })
  const publish = (owners: string, bytes: number, hasKey = false) => {
    const cost = { owners, dataBytes: 0, keptBytes: bytes, publishedAt: clock.now(), hasKey }
    quotas.chargePublication(cost)
    return () => quotas.cancelPublication(cost)
  }
  return { clock, quotas, publish, lines, refused }
}

/** Adds up like Redis. */
class SharedAmounts implements QuotaStore {
  readonly updates: QuotaUpdate[] = []
  readonly amounts = new Map<string, Map<string, number>>()
  failure: Error | undefined

  async add(update: QuotaUpdate): Promise<ReadonlyMap<string, number>> {
    if (this.failure !== undefined) throw this.failure
    this.updates.push(update)
    const fields = this.amounts.get(update.owner) ?? new Map<string, number>()
    this.amounts.set(update.owner, fields)
    for (const field of update.ended) fields.delete(field)
    for (const { field, amount } of update.amounts) fields.set(field, (fields.get(field) ?? 0) + amount)
    return new Map(fields)
  }
}

t.test('counts an amount until its end, and at most one bucket longer', async t => {
  const ledger = new QuotaLedger(1000)
  ledger.add(5, 2500, 0)
  ledger.add(7, 9000, 0)
  t.equal(ledger.used(0), 12)
  t.equal(ledger.used(2500), 12)
  t.equal(ledger.used(3000), 7)
  t.equal(ledger.nextEnd, 9000)
  t.equal(ledger.used(9000), 0)
  t.equal(ledger.nextEnd, 0)
  ledger.add(5, 100, 9000)
  t.equal(ledger.used(9000), 0, 'what has ended is not counted')
  ledger.add(-5, 12_000, 9000)
  t.equal(ledger.used(9000), 0, 'never less than nothing')
})

t.test('counts bytes that a publication adds to a history and drops from it', async t => {
  const { clock, quotas, publish } = start()
  publish('a', 6000)
  const droppedAt = clock.now()
  t.throws(() => publish('a', 4001), refusal)
  publish('b', 9000)
  publish('a', 4000)()
  t.equal(quotas.used('a', 'historyBytes'), 6000, 'what was cancelled adds nothing')
  clock.advance(historyLifeMs / 2)
  publish('a', 3000)
  quotas.creditDropped({ owners: 'a', bytes: 2000, publishedAt: droppedAt })
  t.equal(quotas.used('a', 'historyBytes'), 7000)
  t.equal(quotas.used('b', 'historyBytes'), 9000)
  clock.advance(historyLifeMs / 2 + historyLifeMs / 8)
  t.equal(quotas.used('a', 'historyBytes'), 3000)
})

t.test('a refusal states when something ends', async t => {
  const { clock, publish } = start()
  publish('a', 10_000)
  try {
    publish('a', 1)
    t.fail()
  } catch (error) {
    const { retryAfterMs } = error as RateLimited
    t.ok(Number.isInteger(retryAfterMs) && retryAfterMs > 0 && retryAfterMs <= 60_000)
  }
  clock.advance(historyLifeMs + historyLifeMs / 8)
  publish('a', 1)
})

t.test('logs one line per owner, quota and minute, and counts every refusal', async t => {
  const { clock, publish, quotas, lines, refused } = start()
  publish('a', 10_000)
  for (let i = 0; i < 50; i++) t.throws(() => publish('a', 1), refusal)
  const ticket = (ms: number) => quotas.createTicket('token:t', clock.now() + ms, async () => {})
  for (const ms of [0, 3_600_000, 3_600_000]) await ticket(ms) // the first has ended
  await t.rejects(ticket(1000), refusal)
  t.match(lines, [
    { clientId: 'a', quota: 'history_bytes', limit: 10_000 },
    { actor: 'token:t', quota: 'tickets', limit: 2 }
  ])
  t.equal(lines.length, 2)
  t.equal(refused.length, 51)
  clock.advance(60_000)
  t.throws(() => publish('a', 1), refusal)
  t.match(lines[2], { clientId: 'a', refusedSince: 49 })
})

t.test('instances add up the use of a client', async t => {
  const clock = createClock()
  const shared = new SharedAmounts()
  const one = start(shared, clock)
  const two = start(shared, clock)
  one.publish('a', 6000)
  two.publish('a', 1000)
  await one.quotas.tick()
  await two.quotas.tick()
  t.equal(two.quotas.used('a', 'historyBytes'), 7000)
  t.throws(() => two.publish('a', 3001), refusal)
  t.equal(one.quotas.used('a', 'historyBytes'), 6000, 'until its next tick with something to add')
  one.publish('a', 100)
  await one.quotas.tick()
  t.equal(one.quotas.used('a', 'historyBytes'), 7100)
  shared.failure = new StoreUnavailable(undefined, 'unsent')
  one.publish('a', 200)
  await one.quotas.tick()
  t.equal(one.quotas.used('a', 'historyBytes'), 7300, 'counted while the store is away')
  shared.failure = undefined
  await one.quotas.tick()
  t.equal(one.quotas.used('a', 'historyBytes'), 7300)
  clock.advance(2 * historyLifeMs)
  two.publish('a', 1)
  await two.quotas.tick()
  two.publish('a', 1)
  await two.quotas.tick()
  t.equal(two.quotas.used('a', 'historyBytes'), 2)
  t.ok((shared.amounts.get('a')?.size ?? 0) <= 1, 'fields that have ended are removed from the store')
})

t.test('bug: a restart gave a client its quota again for a second', async t => {
  const clock = createClock()
  const shared = new SharedAmounts()
  const before = start(shared, clock)
  before.publish('a', 10_000)
  await before.quotas.tick()
  const after = start(shared, clock)
  t.equal(after.quotas.readUnknown('a', { historyBytes: 39 }), undefined, 'a small amount asks nobody')
  after.publish('a', 30)
  const [first, second] = [1, 2].map(() => after.quotas.readUnknown('a', { historyBytes: 10 }))
  await Promise.all([first, second])
  t.equal(shared.updates.length, 2, 'concurrent requests share one read')
  t.throws(() => after.publish('a', 1), refusal)
  t.equal(after.quotas.readUnknown('a', { historyBytes: 5000 }), undefined, 'a known owner costs no read')
  clock.advance(10_000)
  const again = after.quotas.readUnknown('a', { historyBytes: 5000 })
  t.ok(again, 'after 10 s without an answer it is unknown again')
  await again
  shared.failure = new StoreUnavailable(undefined, 'unsent')
  await t.rejects(
    start(shared, clock).quotas.readUnknown('a', { historyBytes: 5000 }) ?? Promise.resolve(),
    shared.failure
  )
})

t.test('an amount that is freed on another instance, before its own has sent it, is not lost', async t => {
  const clock = createClock()
  const shared = new SharedAmounts()
  const one = start(shared, clock)
  const two = start(shared, clock)
  one.publish('a', 6000)
  one.publish('a', 1000)
  two.quotas.creditDropped({ owners: 'a', bytes: 6000, publishedAt: clock.now() })
  t.equal(two.quotas.used('a', 'historyBytes'), 0, 'never less than nothing')
  await two.quotas.tick()
  await one.quotas.tick()
  t.equal(one.quotas.used('a', 'historyBytes'), 1000)
})

t.test('counts the use of a ticket for its client and for all tickets of its token', async t => {
  const { quotas, publish, lines } = start()
  const owners = (client: string) => `${client},tickets:tok_1`
  publish(owners('a'), 9000)
  t.throws(() => publish(owners('a'), 2000), { message: /this client/ })
  publish(owners('b'), 9000)
  t.throws(() => publish(owners('c'), 3000), {
    message: /all tickets of this token.*20000.*COUNTERSIGN_TOKEN_QUOTA_MULTIPLE/
  })
  t.equal(quotas.used('c', 'historyBytes'), 0, 'what is refused counts for nobody')
  publish('token:tok_1', 9000)
  t.match(lines, [{ clientId: 'a' }, { ticketsOf: 'tok_1' }])
  for (const client of 'abcd') quotas.chargeChannel(owners(client), false)
  t.equal(quotas.mayCreateChannel(owners('e')), false)
  t.equal(quotas.mayCreateChannel('e'), true)
})

t.test('remembers a bounded number of owners, and forgets idle ones first', async t => {
  const { publish, quotas } = start()
  publish('busy', 10_000)
  quotas.mayCreateChannel('idle')
  for (let i = 0; i < 3; i++) publish(`early-${i}`, 0)
  for (let i = 0; i < maxQuotaOwners; i++) publish(`o${i}`, 0)
  t.equal(quotas.size, maxQuotaOwners)
  t.throws(() => publish('busy', 1), refusal, 'it is still known')
})

t.test('bug: a ticket that was not created counted until its end', async t => {
  const { clock, quotas } = start()
  const createFailing = (error: Error) =>
    t.rejects(
      quotas.createTicket('token:t', clock.now() + 60_000, () => Promise.reject(error)),
      error
    )
  await createFailing(new ShareExceeded('tickets', 1))
  await createFailing(new StoreUnavailable(undefined, 'unsent'))
  t.equal(quotas.used('token:t', 'tickets'), 0)
  await createFailing(new StoreUnavailable(undefined, 'unknown'))
  t.equal(quotas.used('token:t', 'tickets'), 1, 'it may exist')
})
