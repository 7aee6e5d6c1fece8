import fc from 'fast-check'
import t, { type Test } from 'tap'
import { createChannelBroker } from '../../src/channels/channel-broker.js'
import { ClientQuotas } from '../../src/channels/client-quotas.js'
import type { ChannelBroker } from '../../src/channels/types.js'
import type { ChannelStore, StoredPublication } from '../../src/store/channels.js'
import { ownersOf } from '../../src/store/owners.js'
import type { Store } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { stores } from '../helper/stores.js'

/** Bytes in a history count for the owners of each publication, even if another owner's publication drops it. */

const perClient = { bytesPerSecond: 0, historyBytes: 20_000, channels: 0, idempotencyResults: 0, tickets: 0 }
const history = { size: 4, lifeMs: 300_000 }
const log = { debug() {}, warn() {} }

interface Instance {
  readonly channels: ChannelBroker
  readonly quotas: ClientQuotas
  readonly store: Store
}

function instanceOn(store: Store, now: () => number): Instance {
  const limits = { perClient, perToken: { ...perClient, historyBytes: 40_000 } }
  const quotas = new ClientQuotas({
    ...{ limits, historyLifeMs: history.lifeMs, store: store.quotas, now, log },
    onRefusal() {}
  })
  const observer = { delivered() {}, missed() {}, lost() {} }
  const channels = createChannelBroker({ store: store.channels, quotas, now, random: () => 0, log, observer })
  return { channels, quotas, store }
}

/** @param kind  of the store. @param bounds  channels: of the embedded one */
async function startInstances(t: Test, kind: 'embedded' | 'redis', bounds: { channels: number; channelBytes: number }) {
  const clock = createClock()
  const { store, another } = await stores[kind](t, clock.now, { history, ...bounds })
  const seen = kind === 'redis' ? [store, await another()] : [store]
  const instances = seen.map(each => instanceOn(each, clock.now))
  const publish = async (instance: number, owners: string, channel: string, data: string) =>
    (instances[instance % instances.length] as Instance).channels.publish(channel, data, { idempotencyKey: '', owners })
  const tick = async () => {
    // The second round reads what the others have sent in the first.
    for (let i = 0; i < 2; i++) for (const { quotas } of instances) await quotas.tick()
  }
  return { clock, instances, publish, tick }
}

async function keptIn(channels: ChannelStore, channel: string): Promise<readonly StoredPublication[]> {
  if (!(await channels.exists(channel))) return []
  const { top } = await channels.read(channel, undefined, 0)
  for (let count = Math.min(history.size, top.offset); count > 0; count--) {
    const { publications } = await channels.read(channel, { ...top, offset: top.offset - count }, count)
    if (publications !== undefined) return publications
  }
  return []
}

/** Counts of all instances for an owner, as read by one that starts now; with the embedded store there is only one. */
async function usedBytes({ store, quotas }: Instance, owner: string, now: () => number): Promise<number> {
  if (store.kind === 'embedded') return quotas.used(owner, 'historyBytes')
  const fresh = instanceOn({ ...store, channels: { ...store.channels, onDrop() {} } }, now).quotas
  await fresh.readUnknown(owner, { historyBytes: perClient.historyBytes })
  return fresh.used(owner, 'historyBytes')
}

/** Bytes in the histories by owner. */
async function keptBytes(channels: ChannelStore, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const kept = new Map<string, number>()
  for (const publication of (await Promise.all(names.map(name => keptIn(channels, name)))).flat()) {
    const { owners = '', data } = publication
    for (const owner of ownersOf(owners)) kept.set(owner, (kept.get(owner) ?? 0) + channels.bytesOf(data, owners))
  }
  return kept
}

const allOwners = ['a', 'b', 'token:tok_1', 'web-1,tickets:tok_1', 'web-2,tickets:tok_1']
const publications = fc.array(
  fc.record({
    instance: fc.nat(1),
    owners: fc.constantFrom(...allOwners),
    channel: fc.nat(4),
    bytes: fc.constantFrom(1, 100, 900, 5000)
  }),
  { maxLength: 60 }
)

for (const kind of ['embedded', 'redis'] as const) {
  t.test(`${kind}: each owner uses exactly the bytes that histories keep of it`, async t => {
    let run = 0
    const setup = await startInstances(t, kind, { channels: 4, channelBytes: 7000 })
    await fc.assert(
      fc.asyncProperty(publications, async steps => {
        // New owners and channels each time. Channels of the last run still count for the bound.
        run++
        const rename = (owners: string) => owners.replaceAll(/(a|b|web-\d|tok_1)(?=,|$)/g, `$1r${run}`)
        for (const { instance, owners, channel, bytes } of steps) {
          await setup.publish(instance, rename(owners), `r${run}-${channel}`, 'x'.repeat(bytes)).catch(error => {
            if (error.code !== 'RATE_LIMITED') throw error
          })
          if (instance === 1) await setup.instances[0]?.quotas.tick()
        }
        await setup.tick()
        const [first] = setup.instances as [Instance]
        const kept = await keptBytes(
          first.store.channels,
          [0, 1, 2, 3, 4].map(i => `r${run}-${i}`)
        )
        for (const owner of new Set(allOwners.flatMap(owners => ownersOf(rename(owners))))) {
          const used = await usedBytes(first, owner, setup.clock.now)
          if (used !== (kept.get(owner) ?? 0)) throw new Error(`${owner} uses ${used}; kept are ${kept.get(owner)}`)
        }
      }),
      { numRuns: kind === 'redis' ? 12 : 40 }
    )
  })

  t.test(`${kind}: bug: a neighbor on a shared channel used up the quota of another client`, async t => {
    const { publish, tick, instances, clock } = await startInstances(t, kind, {
      channels: 100,
      channelBytes: 1_000_000
    })
    const data = 'x'.repeat(1000)
    for (let i = 0; i < 60; i++) {
      await publish(i, 'victim', 'shared', data)
      await publish(i + 1, 'neighbor', 'shared', data)
      await tick()
    }
    const [first] = instances as [Instance]
    for (const owner of ['victim', 'neighbor']) {
      const used = await usedBytes(first, owner, clock.now)
      t.ok(used > 1500 && used < 3000, `${owner} has two of four: ${used}`)
    }
    for (let i = 0; i < 4; i++) await publish(0, 'neighbor', 'shared', data)
    await tick()
    t.equal(await usedBytes(first, 'victim', clock.now), 0)
    clock.advance(2 * history.lifeMs)
    t.equal(await usedBytes(first, 'neighbor', clock.now), 0, 'what has ended by time')
    await publish(0, 'late', 'shared', data)
    await tick()
    t.ok((await usedBytes(first, 'late', clock.now)) > 1000)
  })
}

t.test('embedded: bug: the histories of channels that were dropped for others went on to count', async t => {
  const { publish, instances } = await startInstances(t, 'embedded', { channels: 2, channelBytes: 1_000_000 })
  await publish(0, 'victim', 'one', 'x'.repeat(1000))
  await publish(0, 'other', 'two', 'x')
  await instances[0]?.channels.readAfter('three', undefined, 0)
  await instances[0]?.store.channels.tops(['four', 'five'])
  t.equal(instances[0]?.quotas.used('victim', 'historyBytes'), 0)
})
