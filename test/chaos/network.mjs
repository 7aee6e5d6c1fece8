import { pause } from '../helper/processes.mjs'

/** The network between a bridge client and the gateways: it picks a gateway for each request, and loses, repeats and delays. */

const lossRate = 0.05
const duplicateRate = 0.1
/** One answer in this many is dropped after the gateway has processed the request. */
const dropEvery = 3
const delayMs = 40
const duplicateDelayMs = 300

/** Failures that a client cannot distinguish: the request was lost, the answer was lost, no gateway was there. */
export class LostError extends Error {}

/** Random numbers from a seed (mulberry32), to repeat a run as far as timing allows. */
export function seeded(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * @param urls    of the gateways
 * @param random  0 to 1
 */
export function createNetwork(urls, random) {
  const counts = { requests: 0, refused: 0, lost: 0, dropped: 0, duplicated: 0, overtaken: 0 }
  let newest = 0
  let answers = 0

  async function ask(path, body, timeoutMs) {
    const url = urls[Math.floor(random() * urls.length)]
    const response = await fetch(`${url}${path}`, { method: 'POST', body, signal: AbortSignal.timeout(timeoutMs) })
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
  }

  /** @throws LostError */
  async function send(path, body, timeoutMs) {
    const number = ++counts.requests
    if (random() < lossRate) {
      counts.lost++
      await pause(random() * delayMs)
      throw new LostError('the request is lost')
    }
    if (random() < duplicateRate) {
      counts.duplicated++
      // Nobody reads this answer, as with a request that a proxy has sent again.
      pause(random() * duplicateDelayMs)
        .then(() => ask(path, body, timeoutMs))
        .catch(() => {})
    }
    await pause(random() * delayMs)
    if (number < newest) counts.overtaken++
    newest = Math.max(newest, number)
    let answer
    try {
      answer = await ask(path, body, timeoutMs)
    } catch (error) {
      counts.refused++
      throw new LostError(error.message, { cause: error })
    }
    if (++answers % dropEvery === 0) {
      counts.dropped++
      throw new LostError('the answer is lost')
    }
    await pause(random() * delayMs)
    return answer
  }
  return { send, counts }
}
