import assert from 'node:assert/strict'
import { pause, until } from '../helper/processes.mjs'
import { connectClient } from './clients.mjs'
import {
  assertValid,
  check,
  closeClients,
  cluster,
  connectSpread,
  keep,
  learnInstance,
  sessionOf,
  spreadMs,
  wsUrl
} from './context.mjs'

/** WebSockets through one proxy while gateways stop and start. */

const movedMs = 10_000
const returnMs = 10_000
const streamLength = 200
const streamPauseMs = 50

export async function checkRestarts({ name, parties }) {
  const { clientId, credential, question } = parties
  for (const gateway of cluster.gateways) await learnInstance(gateway, parties)

  await check(`${name}: a rolling restart: clients move when asked, ${streamLength} validates answer`, async () => {
    const [stopping, staying] = await connectSpread(parties)
    const all = [stopping, staying].flat()
    let answered = 0
    let slowest = 0
    const [first, second] = cluster.gateways
    const stream = Promise.all(
      all.map(async watched => {
        while (answered < streamLength) {
          answered++
          const asked = Date.now()
          await assertValid(watched, question)
          slowest = Math.max(slowest, Date.now() - asked)
          await pause(streamPauseMs)
        }
      })
    )
    stream.catch(() => {})
    await until('the stream runs', 5_000, () => answered >= all.length * 2)
    const stopped = first.child.stop()
    await stream
    assert.equal(await stopped, 0)
    assert.ok(
      stopping.every(({ reconnects }) => reconnects === 1),
      `asked to reconnect: ${stopping.map(({ reconnects }) => reconnects)}`
    )
    await until('all are on the other instance', movedMs, async () => {
      const sessions = await Promise.all(all.map(watched => sessionOf(watched, clientId)))
      return sessions.every(session => session?.instanceId === second.instanceId)
    })
    for (const watched of all) await assertValid(watched, question)
    return `${all.length} clients, the slowest answer after ${slowest} ms`
  })
  closeClients()

  await check(`${name}: the gateway that is back gets connections again`, async () => {
    const [first] = cluster.gateways
    await first.child.stop()
    await first.start()
    await learnInstance(first, parties)
    await until('both are in the rotation', spreadMs, async () => {
      const watched = keep(await connectClient(wsUrl(), credential))
      return (await sessionOf(watched, clientId))?.instanceId === first.instanceId
    })
  })
  closeClients()

  await check(`${name}: kill -9 of an instance: its clients are back and validate within ${returnMs} ms`, async () => {
    const [staying, killed] = await connectSpread(parties)
    const [, second] = cluster.gateways
    const began = Date.now()
    second.child.signal('SIGKILL')
    await second.child.exited
    await Promise.all([...killed, ...staying].map(watched => assertValid(watched, question)))
    const took = Date.now() - began
    assert.ok(took < returnMs, `${took} ms`)
    assert.ok(killed.every(({ welcomes }) => welcomes > 1))
    assert.ok(staying.every(({ welcomes }) => welcomes === 1))
    return `${took} ms`
  })
  closeClients()
}
