import assert from 'node:assert/strict'
import { pause, until } from '../helper/processes.mjs'
import { http1, http2, openBridge } from './bridge.mjs'

/** The bridge through a proxy: held polls, how sessions spread over gateways, and restarts. */

export const heldSeconds = 25
const heldMs = 40_000
/** From the signal to the answer of a held poll, which is immediate: allows for a busy machine. */
const drainedMs = 8_000
/** Until a proxy has noticed that a gateway is back. */
const rotationMs = 2_000
const leastMessages = 100
const messagePauseMs = 15
const settleMs = 30_000
/** Sessions that hold polls, for each HTTP version. */
const watchers = 2

const ways = port => [http1(port), http2(port)]

/** Holds a poll for `waitMax`, over HTTP/1.1 and HTTP/2. @returns the results to wait for */
export function startLongPolls(port, credential) {
  const began = Date.now()
  const polls = ways(port).map(async way => {
    try {
      const session = await openBridge(way, credential)
      const polled = await session.exchange([], heldSeconds)
      return { name: way.name, polled, heldMs: Date.now() - began }
    } finally {
      way.close()
    }
  })
  const all = Promise.all(polls)
  all.catch(() => {})
  return all
}

export async function assertHeld(polls) {
  for (const { polled, heldMs: took } of await polls) {
    assert.deepEqual([polled.superseded, polled.more], [false, false])
    assert.ok(took >= heldSeconds * 1000 && took < heldMs, `${took} ms`)
  }
}

/** Every form of an empty POST, and one exchange. */
export async function assertSpoken(port, credential) {
  for (const way of ways(port)) {
    const empty = [undefined, '', ...(way.name === 'HTTP/1.1' ? [] : [Buffer.alloc(0)])]
    for (const body of empty) assert.equal((await way.post('/v1/bridge/challenge', body)).status, 200)
    const chunked = way.name === 'HTTP/1.1' ? { 'transfer-encoding': 'chunked' } : { 'content-length': 0 }
    assert.equal((await way.post('/v1/bridge/challenge', undefined, chunked)).status, 200)
    const session = await openBridge(way, credential)
    await session.exchange([session.sign({ type: 'heartbeat' })])
    assert.equal(session.frames[0]?.type, 'heartbeat')
    const encoded = await way.post('/v1/bridge/challenge', 'x', { 'content-encoding': 'gzip' })
    assert.equal(encoded.status, 415)
    way.close()
  }
}

/** The sum of a metric on one instance. */
async function metric(gateway, name) {
  const text = await (await fetch(`${gateway.url}/metrics`, { signal: AbortSignal.timeout(10_000) })).text()
  const lines = text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** The messages of one session reach both gateways. */
export async function assertSpread(port, credential, gateways) {
  const counted = () => Promise.all(gateways.map(each => metric(each, 'countersign_frames_received_total')))
  const notes = []
  for (const way of ways(port)) {
    const before = await counted()
    const session = await openBridge(way, credential)
    // Two at once, so that a proxy that prefers one connection has to use the other gateway too.
    for (let i = 0; i < 20; i++) {
      const lines = [session.sign({ type: 'heartbeat' })]
      await Promise.all([session.carryOn(lines), session.carryOn([])])
    }
    // The answer to an exchange that another one overtook comes with a later one.
    await until(`${way.name}: 20 answers`, 5000, async () => {
      await session.exchange()
      return session.frames.length === 20
    })
    // A gateway renders its metrics at most once a second.
    const run = await until(`${way.name}: both gateways received frames`, 5000, async () => {
      const counts = (await counted()).map((count, i) => count - (before[i] ?? 0))
      return counts.every(count => count > 0) && counts
    })
    notes.push(`${way.name} ${run.join('+')}`)
    way.close()
  }
  return notes.join(', ')
}

/**
 * Over each HTTP version, a session sends messages and receives publications until `disturbing` ends: each arrives once and
 * in order.
 * @param publish  publishes once to a channel, and tries again until it succeeds
 */
export async function assertLossless(port, credential, publish, disturbing) {
  let isDisturbing = true
  const disturbed = disturbing.finally(() => {
    isDisturbing = false
  })
  disturbed.catch(() => {})
  const notes = await Promise.all(
    ways(port).map(async way => {
      const session = await openBridge(way, credential)
      const own = `session:${session.sessionId}`
      const shared = `room:${session.sessionId}`
      await session.carryOn([session.sign({ type: 'subscribe', channel: shared })])
      const got = channel => session.frames.filter(each => each.type === 'publication' && each.channel === channel)
      let count = 0
      for (; isDisturbing || count < leastMessages; count++) {
        const line = session.sign({ type: 'publish', channel: own, data: count })
        await Promise.all([session.carryOn([line]), publish(shared, count, `${own}${count}`)])
        await pause(messagePauseMs)
      }
      await until('all have arrived', settleMs, async () => {
        await session.carryOn([], 1)
        return got(own).length >= count && got(shared).length >= count
      })
      await session.carryOn([])
      const expected = Array.from({ length: count }, (_, i) => i)
      for (const channel of [own, shared])
        assert.deepEqual(
          got(channel).map(({ data }) => data),
          expected
        )
      assert.deepEqual(
        session.frames.filter(({ type }) => type === 'error' || type === 'unsubscribed'),
        []
      )
      way.close()
      return `${way.name}: ${count} up, ${count} down, ${session.repeats} repeated`
    })
  )
  await disturbed
  return notes.join('; ')
}

/** Stops each gateway in turn while it holds polls, and starts it again. */
export async function rollingRestart(doors, gateways) {
  const through = doors.flatMap(({ port, credential }) => ways(port).map(way => ({ way, credential })))
  const sessions = await Promise.all(
    through.flatMap(({ way, credential }) => Array.from({ length: watchers }, () => openBridge(way, credential)))
  )
  let answers = 0
  let isOver = false
  const watching = Promise.all(
    sessions.map(async session => {
      while (!isOver) {
        await session.carryOn([], heldSeconds)
        answers++
      }
    })
  )
  watching.catch(() => {})
  for (const gateway of gateways) {
    const held = await until('polls are held', 10_000, async () => {
      const now = await metric(gateway, 'countersign_bridge_held_polls')
      return now > 0 && now
    })
    const before = answers
    const stopping = gateway.child.stop()
    await until('held polls are answered', drainedMs, () => answers - before >= held)
    assert.equal(await stopping, 0)
    await gateway.start()
    await pause(rotationMs)
    // The next gateway is to hold polls too.
    await Promise.all(sessions.map(session => session.carryOn([], 0.1)))
  }
  isOver = true
  await Promise.all(sessions.map(session => session.carryOn([], 0.1)))
  await watching
  for (const { way } of through) way.close()
}

/** Kills one gateway after the other while it works. */
export async function killEach(gateways) {
  for (const gateway of gateways) {
    await pause(500)
    gateway.child.signal('SIGKILL')
    await gateway.child.exited
    await pause(500)
    await gateway.start()
    await pause(rotationMs)
  }
}
