import { quantile } from './measure.mjs'

/**
 * A fan-out: one publication at a time, the next when all subscribers have received the last.
 * @param subscribers  sockets on which every text that passes `isPublication` is a delivery
 * @param publish      sends the next publication
 */
export class Fan {
  latencies = []
  #sockets
  #publish
  #missing = 0
  #sentAt = 0
  #all

  constructor(sockets, publish, isPublication) {
    this.#sockets = sockets
    this.#publish = publish
    for (const socket of sockets) {
      socket.onText = text => {
        if (!isPublication(text)) return
        this.latencies.push(performance.now() - this.#sentAt)
        if (--this.#missing === 0) this.#all()
      }
    }
  }

  /** @returns {Promise<number>} deliveries */
  async run(ms) {
    const until = performance.now() + ms
    let publications = 0
    do {
      this.#missing = this.#sockets.length
      const all = new Promise(resolve => (this.#all = resolve))
      this.#sentAt = performance.now()
      this.#publish()
      await all
      publications++
    } while (performance.now() < until)
    return publications * this.#sockets.length
  }

  /** From the sending of a publication to a delivery, in milliseconds; forgets what it has. */
  drainLatencies() {
    const { latencies } = this
    this.latencies = []
    return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
  }
}

/** The publication in all measurements: about a hundred bytes of JSON. */
export const publication = '{"kind":"chat","from":"player-1234567","text":"a line of chat as people write them","n":42}'
