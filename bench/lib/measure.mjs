// Sides are measured in turns, A B C then C B A, so that other load on the machine affects all of them; each turn
// gives one ratio between neighbours in time, and the median of those ratios is what counts.

export function median(numbers) {
  return quantile(numbers, 0.5)
}

export function quantile(numbers, q) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  return low + (high - low) * (at - Math.floor(at))
}

/**
 * @typedef {{ name: string, run: (ms: number) => Promise<number>, cpuUs: () => Promise<number> }} Side
 *   `run` works for that time, waits for every answer, and returns the number of operations
 * @param {Side[]} sides
 * @param {{ rounds: number, sliceMs: number, warmMs: number }} pace
 * @returns {Promise<Map<string, { us: number[], perSecond: number[] }>>} by side and round: server CPU of an operation in
 *   microseconds, and operations in a second of the clock
 */
export async function interleave(sides, { rounds, sliceMs, warmMs }) {
  for (const side of sides) await side.run(warmMs)
  const results = new Map(sides.map(({ name }) => [name, { us: [], perSecond: [] }]))
  for (let round = 0; round < rounds; round++) {
    for (const { name, run, cpuUs } of round % 2 === 0 ? sides : [...sides].reverse()) {
      const [before, since] = [await cpuUs(), performance.now()]
      const operations = await run(sliceMs)
      const seconds = (performance.now() - since) / 1000
      results.get(name).us.push(((await cpuUs()) - before) / operations)
      results.get(name).perSecond.push(operations / seconds)
    }
  }
  return results
}

/** The median over rounds of one side's measure to another's, and the spread of the middle half. */
export function ratio(results, name, base, measure = 'us') {
  const own = results.get(name)[measure]
  const others = results.get(base)[measure]
  const ratios = own.map((value, i) => value / others[i])
  return { value: median(ratios), low: quantile(ratios, 0.25), high: quantile(ratios, 0.75) }
}

/**
 * Keeps `inFlight` requests out on each client for `ms`, then waits for the answers that are missing.
 * @param clients  each with `socket` and `next()`, the text of its next request; every text that comes is an answer
 * @returns {Promise<number>} requests answered
 */
export function keepInFlight(clients, inFlight, ms) {
  return new Promise(resolve => {
    const until = performance.now() + ms
    let [out, done] = [0, 0]
    for (const { socket, next } of clients) {
      socket.onText = () => {
        done++
        if (performance.now() < until) socket.send(next())
        else if (--out === 0) resolve(done)
      }
      for (let i = 0; i < inFlight; i++) {
        out++
        socket.send(next())
      }
    }
  })
}

/** The same for clients that ask and await: `request` resolves with the answer. */
export async function keepAsking(clients, ms) {
  const until = performance.now() + ms
  let done = 0
  await Promise.all(
    clients.map(async client => {
      do {
        await client.request()
        done++
      } while (performance.now() < until)
    })
  )
  return done
}
