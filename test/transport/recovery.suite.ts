import type { Test } from 'tap'
import {
  allPermissions,
  askPast,
  type ChannelHarness,
  offsetsOf,
  positionOf,
  receivePublications
} from './channel-harness.js'

/** Subscribing and recovery (PROTOCOL §10.3). */
export function recoverySuite(t: Test, { start }: ChannelHarness): void {
  t.test('recovers all missed publications, then delivers new ones', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(allPermissions)
    const publisher = await gateway.session(credential)
    const publish = async (data: unknown) => positionOf(await publisher.ask({ type: 'publish', channel: 'c', data }))
    const first = await publish(1)
    const missed = [await publish(2), await publish(3)]
    const wire = await gateway.session(credential)
    const subscribed = await wire.ask({ type: 'subscribe', channel: 'c', recover: first })
    t.match(subscribed, { type: 'subscribed', recovered: true, ...missed[1] })
    t.same(
      subscribed['publications'],
      [2, 3].map(data => ({ offset: data, data, publishedAt: gateway.clock.now(), publisher: credential.clientId }))
    )
    await publish(4)
    t.match(await wire.next('publication'), { offset: 4, data: 4 })
    const again = await wire.ask({ type: 'subscribe', channel: 'c', recover: { ...first, offset: 3 } })
    t.match(again, { recovered: true, offset: 4, publications: [{ offset: 4 }] }, 'allowed while subscribed')
    const nothing = await wire.ask({ type: 'subscribe', channel: 'c', recover: { ...first, offset: 4 } })
    t.match(nothing, { recovered: true, offset: 4 })
    t.same(nothing['publications'] ?? [], [])
  })

  t.test('recovers nothing when it cannot recover everything', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient(allPermissions))
    const { epoch } = positionOf(await wire.ask({ type: 'publish', channel: 'c', data: 1 }))
    for (const recover of [
      { offset: 1, epoch: 'another' },
      { offset: 2, epoch }
    ]) {
      const subscribed = await wire.ask({ type: 'subscribe', channel: 'c', recover })
      t.match(subscribed, { type: 'subscribed', recovered: false, offset: 1, epoch })
      t.notOk('publications' in subscribed)
    }
    for (let i = 0; i < 513; i++) await askPast(wire, { type: 'publish', channel: 'd', data: i })
    const top = positionOf(await wire.ask({ type: 'subscribe', channel: 'd' }))
    const far = await wire.ask({ type: 'subscribe', channel: 'd', recover: { ...top, offset: 0 } })
    t.match(far, { recovered: false, offset: 513 }, 'more than `recover`')
    const { answer, publications } = await askPast(wire, {
      ...{ type: 'subscribe', channel: 'd' },
      recover: { ...top, offset: 1 }
    })
    t.match(answer, { recovered: true, offset: 513 })
    t.equal((answer['publications'] as unknown[]).length + publications.length, 512)
  })

  t.test('sends publications that do not fit into `subscribed` next, before newer ones', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(allPermissions)
    const [publisher, wire] = [await gateway.session(credential), await gateway.session(credential)]
    const large = 'ä'.repeat(16_000)
    let epoch = ''
    for (let i = 0; i < 5; i++) {
      epoch = positionOf(await publisher.ask({ type: 'publish', channel: 'c', data: `${large}${i}` })).epoch
    }
    const subscribed = await wire.ask({ type: 'subscribe', channel: 'c', recover: { offset: 0, epoch } })
    t.match(subscribed, { recovered: true, offset: 2 }, 'the position of the last publication inside, not the top')
    t.same(offsetsOf(subscribed['publications']), [1, 2])
    await publisher.ask({ type: 'publish', channel: 'c', data: 'new' })
    t.same(offsetsOf(await receivePublications(wire, 4)), [3, 4, 5, 6])
  })

  t.test('sends data nested too deep for `subscribed` after it', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(allPermissions)
    const [publisher, wire] = [await gateway.session(credential), await gateway.session(credential)]
    const nest = (levels: number): unknown => (levels === 0 ? 1 : [nest(levels - 1)])
    const published = []
    for (const levels of [29, 30, 1, 31]) {
      published.push(positionOf(await publisher.ask({ type: 'publish', channel: 'c', data: nest(levels) })))
    }
    const [first = { offset: 0, epoch: '' }] = published
    const subscribed = await wire.ask({ type: 'subscribe', channel: 'c', recover: { ...first, offset: 0 } })
    t.match(subscribed, { recovered: true, offset: 1, publications: [{ offset: 1, data: nest(29) }] })
    const followed = await receivePublications(wire, 3)
    t.same(
      followed.map(({ data }) => data),
      [nest(30), nest(1), nest(31)]
    )
    t.same(offsetsOf(followed), [2, 3, 4])
  })

  t.test('a subscribe during publications misses none of them', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(allPermissions)
    const publisher = await gateway.session(credential)
    const wires = await Promise.all(Array.from({ length: 8 }, () => gateway.session(credential)))
    const publishing = (async () => {
      for (let i = 0; i < 200; i++) await publisher.ask({ type: 'publish', channel: 'c', data: i })
    })()
    await Promise.all(
      wires.map(async wire => {
        const { offset } = positionOf(await wire.ask({ type: 'subscribe', channel: 'c' }))
        const rest = await receivePublications(wire, 200 - offset)
        t.same(
          offsetsOf(rest),
          Array.from({ length: 200 - offset }, (_, i) => offset + 1 + i)
        )
      })
    )
    await publishing
  })
}
