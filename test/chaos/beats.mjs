import { pause } from '../helper/processes.mjs'
import { openBridge } from './bridge-client.mjs'
import { createNetwork, seeded } from './network.mjs'

/**
 * A session of the bridge that sends heartbeats alone, one to three at a time, over a network of its own: their answers are
 * committed with the exchange that brings them, wherever it arrives (PROTOCOL §9.4 c).
 */

const mostAtOnce = 3
const pauseMs = 60

/**
 * @param urls           of the gateways
 * @param credential     of a client that may subscribe to `down`
 * @param onPublication  called with each publication on it
 * @returns `stop` ends it and returns the number of heartbeats, each of which was answered
 */
export async function startBeats({ urls, seed, credential, onPublication, onFailure }) {
  const network = createNetwork(urls, seeded(seed))
  const random = seeded(seed + 1)
  const bridge = await openBridge({ send: network.send, random, credential, onPublication, onFailure })
  const { type } = await bridge.request({ type: 'subscribe', channel: 'down' })
  if (type !== 'subscribed') onFailure(`beats: ${type}`)
  let isOver = false
  let answered = 0

  async function beat() {
    while (!isOver) {
      const count = 1 + Math.floor(random() * mostAtOnce)
      const answers = await Promise.all(Array.from({ length: count }, () => bridge.request({ type: 'heartbeat' })))
      for (const answer of answers) if (answer.type !== 'heartbeat') onFailure(`beats: answered by ${answer.type}`)
      answered += count
      await pause(random() * pauseMs)
    }
  }
  const beating = beat()
  return {
    counts: bridge.counts,
    async stop() {
      isOver = true
      await beating
      bridge.close()
      return answered
    }
  }
}
